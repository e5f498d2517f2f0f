//! Packages as modules, made by `cargo xtask codegen`; do not edit.

pub mod common {
    pub mod v1;
}
pub mod content {
    pub mod v1;
}
pub mod inventory {
    pub mod v1;
}
pub mod orders {
    pub mod v1;
}
pub mod payments {
    pub mod v1;
}
pub mod shipping {
    pub mod v1;
}
pub mod users {
    pub mod v1;
}
