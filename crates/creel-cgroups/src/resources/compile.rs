//! From what is asked for to what is written.

use super::Resources;
use crate::{devices, error::Refused, hierarchy::Hierarchies, settings::Settings};

impl Resources {
    /// Turns what is asked for into writes for this layout. Pure: nothing is asked of the kernel.
    ///
    /// # Errors
    /// Everything that cannot be done, each by the name of its setting.
    pub fn compile(&self, _hierarchies: &Hierarchies) -> Result<Settings, Vec<Refused>> {
        let writes = devices::writes(&self.devices)?;
        Ok(Settings { writes, device_program: None })
    }
}
