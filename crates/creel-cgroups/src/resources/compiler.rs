//! Settings in the making: what each group of resources adds its writes and refusals to.

use std::borrow::Cow;

use crate::{
    controller::Controller,
    error::Refused,
    hierarchy::Hierarchies,
    settings::{IfMissing, Setting, Target, Write},
};

/// Collects writes and refusals.
pub(super) struct Compiler<'a> {
    pub(super) hierarchies: &'a Hierarchies,
    pub(super) writes: Vec<Write>,
    pub(super) refused: Vec<Refused>,
}

impl<'a> Compiler<'a> {
    pub(super) fn new(hierarchies: &'a Hierarchies) -> Self {
        Self { hierarchies, writes: Vec::new(), refused: Vec::new() }
    }

    /// Where this controller's files are; refuses the setting if they are nowhere.
    pub(super) fn place(&mut self, setting: &Setting, controller: Controller) -> Option<Target> {
        if self.hierarchies.v1(controller).is_some() {
            return Some(Target::V1(controller));
        }
        if controller.v2_name().is_some() && self.hierarchies.has_v2() {
            return Some(Target::V2(Some(controller)));
        }
        let only = if controller.v2_name().is_none() { "v1 " } else { "" };
        self.refuse(
            setting.clone(),
            format!("no {only}cgroup hierarchy has the {controller} controller"),
        );
        None
    }

    pub(super) fn refuse(&mut self, setting: Setting, reason: impl Into<String>) {
        self.refused.push(Refused { setting, reason: reason.into() });
    }

    /// Adds a write; the caller may still change how it is done.
    #[expect(clippy::needless_pass_by_value, reason = "callers pass numbers and literals")]
    pub(super) fn write(
        &mut self,
        setting: Setting,
        target: Target,
        file: impl Into<Cow<'static, str>>,
        value: impl ToString,
    ) -> Entry<'_> {
        self.writes.push(Write {
            setting,
            target,
            file: file.into(),
            value: value.to_string(),
            if_missing: IfMissing::Fail,
            any_order: false,
            must_exceed: None,
        });
        Entry(self.writes.last_mut())
    }

    /// One value for a file of the same meaning on v1 and v2.
    pub(super) fn write_either(
        &mut self,
        setting: Setting,
        target: Target,
        [v1, v2]: [String; 2],
        value: u64,
    ) -> Entry<'_> {
        let file = match target {
            Target::V1(_) => v1,
            Target::V2(_) => v2,
        };
        self.write(setting, target, file, value)
    }
}

/// The write that was just added.
pub(super) struct Entry<'a>(Option<&'a mut Write>);

impl Entry<'_> {
    pub(super) fn if_missing(self, if_missing: IfMissing) -> Self {
        self.with(|write| write.if_missing = if_missing)
    }

    pub(super) fn any_order(self) -> Self {
        self.with(|write| write.any_order = true)
    }

    pub(super) fn must_exceed(self, file: Option<&'static str>) -> Self {
        self.with(|write| write.must_exceed = file)
    }

    fn with(mut self, change: impl FnOnce(&mut Write)) -> Self {
        if let Some(write) = &mut self.0 {
            change(write);
        }
        self
    }
}
