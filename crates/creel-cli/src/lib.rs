//! creel's command line, as data.
