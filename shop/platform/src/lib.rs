//! shop-platform
