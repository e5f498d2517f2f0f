//! shop-edge
