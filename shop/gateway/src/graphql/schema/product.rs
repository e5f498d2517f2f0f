//! What is for sale, and how much there is of it.

use async_graphql::{Context, Object, SimpleObject};
use shop_contracts::rpc::inventory;

use super::super::loaders::{Sku, StockOf};
use super::scalars::{Long, Money};
use super::{Answer, Nullable, found, nullable};

/// Something that is for sale.
pub(super) struct Product(inventory::Product);

/// How much there is of a product.
#[derive(SimpleObject)]
pub(super) struct Stock {
    /// In the warehouse.
    on_hand: Long,
    /// Of these, set aside for orders.
    reserved: Long,
    /// Of these, free.
    available: Long,
}

// === impl Product ===

impl Product {
    pub(super) fn of(product: inventory::Product) -> Self {
        Self(product)
    }

    /// The product of this name, if there is one.
    pub(super) async fn find(ctx: &Context<'_>, sku: String) -> Answer<Option<Self>> {
        Ok(found(ctx, Sku(sku)).await?.map(Self))
    }
}

/// Something that is for sale.
#[Object]
impl Product {
    /// What orders call it.
    async fn sku(&self) -> &str {
        &self.0.sku
    }

    /// What people call it.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// What one of it costs.
    async fn price(&self) -> Money {
        self.0.price.clone().into()
    }

    /// How much there is of it. Null, with an error, while the inventory service is away.
    async fn stock(&self, ctx: &Context<'_>) -> Nullable<Stock> {
        nullable(async {
            let stock = found(ctx, StockOf(self.0.sku.clone())).await?;
            Ok(stock.map(|stock| Stock {
                on_hand: Long(stock.on_hand),
                reserved: Long(stock.reserved),
                available: Long(stock.available),
            }))
        })
        .await
    }
}
