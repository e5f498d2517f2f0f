//! shop-shipping
