//! Package `shop.orders.v1`, made by `cargo xtask codegen` of `shop/contracts/proto`.
//! Change that instead: what is written here by hand is lost.

/// An order.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct Order {
    /// Its id.
    #[prost(string, tag = "1")]
    pub id: ::prost::alloc::string::String,
    /// Who placed it.
    #[prost(string, tag = "2")]
    pub user_id: ::prost::alloc::string::String,
    /// The account that pays.
    #[prost(string, tag = "3")]
    pub account_id: ::prost::alloc::string::String,
    /// The state now.
    #[prost(enumeration = "OrderStatus", tag = "4")]
    pub status: i32,
    /// What it costs.
    #[prost(message, optional, tag = "5")]
    pub total: ::core::option::Option<super::super::common::v1::Money>,
    /// What is ordered, each product once.
    #[prost(message, repeated, tag = "6")]
    pub items: ::prost::alloc::vec::Vec<super::super::common::v1::Item>,
    /// Where it goes.
    #[prost(message, optional, tag = "7")]
    pub ship_to: ::core::option::Option<super::super::common::v1::ShipTo>,
    /// The states it came to, oldest first; empty in lists.
    #[prost(message, repeated, tag = "8")]
    pub history: ::prost::alloc::vec::Vec<StatusChange>,
    /// When it was placed.
    #[prost(message, optional, tag = "9")]
    pub created_at: ::core::option::Option<::prost_types::Timestamp>,
    /// Whether its owner may still cancel it.
    #[prost(bool, tag = "10")]
    pub cancellable: bool,
    /// The shipment, once there is one.
    #[prost(string, optional, tag = "11")]
    pub shipment_id: ::core::option::Option<::prost::alloc::string::String>,
    /// What the carrier calls it.
    #[prost(string, optional, tag = "12")]
    pub tracking_number: ::core::option::Option<::prost::alloc::string::String>,
}
/// One line of an order's history.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct StatusChange {
    /// The state it came to.
    #[prost(enumeration = "OrderStatus", tag = "1")]
    pub status: i32,
    /// When.
    #[prost(message, optional, tag = "2")]
    pub at: ::core::option::Option<::prost_types::Timestamp>,
    /// Why, when it went wrong.
    #[prost(string, optional, tag = "3")]
    pub reason: ::core::option::Option<::prost::alloc::string::String>,
}
/// One record of an order.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct OrderEvent {
    /// Its number, from 1 on.
    #[prost(uint64, tag = "1")]
    pub seq: u64,
    /// What has happened.
    #[prost(enumeration = "OrderEventType", tag = "2")]
    pub r#type: i32,
    /// When.
    #[prost(message, optional, tag = "3")]
    pub at: ::core::option::Option<::prost_types::Timestamp>,
    /// The state it came to; only for ENTERED.
    #[prost(enumeration = "OrderStatus", tag = "4")]
    pub status: i32,
    /// Why, when it went wrong; only for ENTERED.
    #[prost(string, optional, tag = "5")]
    pub reason: ::core::option::Option<::prost::alloc::string::String>,
    /// The shipment; only for SHIPPED.
    #[prost(string, optional, tag = "6")]
    pub shipment_id: ::core::option::Option<::prost::alloc::string::String>,
    /// What the carrier calls it; only for SHIPPED.
    #[prost(string, optional, tag = "7")]
    pub tracking_number: ::core::option::Option<::prost::alloc::string::String>,
}
/// What somebody wants to order.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct PlaceOrderRequest {
    /// A name of the caller's own for this call, 1 to 255 characters: repeated with it, one order is
    /// placed. Over REST it is the header `Idempotency-Key`, and the two share their memory.
    #[prost(string, tag = "1")]
    pub idempotency_key: ::prost::alloc::string::String,
    /// The account that pays.
    #[prost(string, tag = "2")]
    pub account_id: ::prost::alloc::string::String,
    /// 1 to 50 lines, each product once.
    #[prost(message, repeated, tag = "3")]
    pub items: ::prost::alloc::vec::Vec<super::super::common::v1::Item>,
    /// Where it goes.
    #[prost(message, optional, tag = "4")]
    pub ship_to: ::core::option::Option<super::super::common::v1::ShipTo>,
}
/// The order that was placed.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct PlaceOrderResponse {
    /// The order as it was accepted.
    #[prost(message, optional, tag = "1")]
    pub order: ::core::option::Option<Order>,
    /// Whether an earlier call with the same key has placed it.
    #[prost(bool, tag = "2")]
    pub replayed: bool,
}
/// Which order is wanted.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct GetOrderRequest {
    /// The order.
    #[prost(string, tag = "1")]
    pub id: ::prost::alloc::string::String,
}
/// The order that was wanted.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct GetOrderResponse {
    /// The order.
    #[prost(message, optional, tag = "1")]
    pub order: ::core::option::Option<Order>,
}
/// Which page of the orders is wanted.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct ListOrdersRequest {
    /// Orders on the page: 20 by default, 100 at most; more is taken as 100, less than 0 is refused.
    #[prost(int32, tag = "1")]
    pub page_size: i32,
    /// Where the page begins: `next_page_token` of the page before; empty for the first.
    #[prost(string, tag = "2")]
    pub page_token: ::prost::alloc::string::String,
}
/// A page of orders.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct ListOrdersResponse {
    /// The orders, without their histories.
    #[prost(message, repeated, tag = "1")]
    pub orders: ::prost::alloc::vec::Vec<Order>,
    /// Where the next page begins; empty on the last one.
    #[prost(string, tag = "2")]
    pub next_page_token: ::prost::alloc::string::String,
}
/// Which order is to be undone.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct CancelOrderRequest {
    /// The order.
    #[prost(string, tag = "1")]
    pub id: ::prost::alloc::string::String,
}
/// The order after it was asked for.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct CancelOrderResponse {
    /// The order. The step in flight may have to end before it is undone: watch it.
    #[prost(message, optional, tag = "1")]
    pub order: ::core::option::Option<Order>,
}
/// Which orders are wanted.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct BatchGetOrdersRequest {
    /// At most 1000 ids.
    #[prost(string, repeated, tag = "1")]
    pub ids: ::prost::alloc::vec::Vec<::prost::alloc::string::String>,
}
/// Those of the orders that are there and that the caller may see.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct BatchGetOrdersResponse {
    /// In the order of the ids that were found, each once.
    #[prost(message, repeated, tag = "1")]
    pub orders: ::prost::alloc::vec::Vec<Order>,
}
/// Which order is watched.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct WatchOrderRequest {
    /// The order.
    #[prost(string, tag = "1")]
    pub id: ::prost::alloc::string::String,
}
/// An order at one moment.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct WatchOrderResponse {
    /// The order.
    #[prost(message, optional, tag = "1")]
    pub order: ::core::option::Option<Order>,
}
/// Whose records are wanted.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct ListOrderEventsRequest {
    /// The order.
    #[prost(string, tag = "1")]
    pub id: ::prost::alloc::string::String,
}
/// What was recorded of an order.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct ListOrderEventsResponse {
    /// Oldest first; at most 1000.
    #[prost(message, repeated, tag = "1")]
    pub events: ::prost::alloc::vec::Vec<OrderEvent>,
}
/// The states of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, ::prost::Enumeration)]
#[repr(i32)]
pub enum OrderStatus {
    /// Not said.
    Unspecified = 0,
    /// Accepted; the account is being looked at.
    Started = 1,
    /// The money is being taken.
    PaymentProcessing = 2,
    /// The money is taken and the items are set aside.
    InventoryReserved = 3,
    /// Shipping has been asked for: no way to cancel any more.
    ShippingProcessing = 4,
    /// Shipped, and the stock is taken. Final.
    Completed = 5,
    /// Refused or cancelled before any money moved. Final.
    Failed = 6,
    /// The money was not taken, or is back. Final.
    PaymentCancelled = 7,
    /// The items are being put back.
    CompensateInventory = 8,
    /// Something could not be undone: an operator has to act.
    UndoFailed = 9,
}
impl OrderStatus {
    /// String value of the enum field names used in the ProtoBuf definition.
    ///
    /// The values are not transformed in any way and thus are considered stable
    /// (if the ProtoBuf definition does not change) and safe for programmatic use.
    pub fn as_str_name(&self) -> &'static str {
        match self {
            Self::Unspecified => "ORDER_STATUS_UNSPECIFIED",
            Self::Started => "ORDER_STATUS_STARTED",
            Self::PaymentProcessing => "ORDER_STATUS_PAYMENT_PROCESSING",
            Self::InventoryReserved => "ORDER_STATUS_INVENTORY_RESERVED",
            Self::ShippingProcessing => "ORDER_STATUS_SHIPPING_PROCESSING",
            Self::Completed => "ORDER_STATUS_COMPLETED",
            Self::Failed => "ORDER_STATUS_FAILED",
            Self::PaymentCancelled => "ORDER_STATUS_PAYMENT_CANCELLED",
            Self::CompensateInventory => "ORDER_STATUS_COMPENSATE_INVENTORY",
            Self::UndoFailed => "ORDER_STATUS_UNDO_FAILED",
        }
    }
    /// Creates an enum from field names used in the ProtoBuf definition.
    pub fn from_str_name(value: &str) -> ::core::option::Option<Self> {
        match value {
            "ORDER_STATUS_UNSPECIFIED" => Some(Self::Unspecified),
            "ORDER_STATUS_STARTED" => Some(Self::Started),
            "ORDER_STATUS_PAYMENT_PROCESSING" => Some(Self::PaymentProcessing),
            "ORDER_STATUS_INVENTORY_RESERVED" => Some(Self::InventoryReserved),
            "ORDER_STATUS_SHIPPING_PROCESSING" => Some(Self::ShippingProcessing),
            "ORDER_STATUS_COMPLETED" => Some(Self::Completed),
            "ORDER_STATUS_FAILED" => Some(Self::Failed),
            "ORDER_STATUS_PAYMENT_CANCELLED" => Some(Self::PaymentCancelled),
            "ORDER_STATUS_COMPENSATE_INVENTORY" => Some(Self::CompensateInventory),
            "ORDER_STATUS_UNDO_FAILED" => Some(Self::UndoFailed),
            _ => None,
        }
    }
}
/// What can be recorded of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, ::prost::Enumeration)]
#[repr(i32)]
pub enum OrderEventType {
    /// Not said.
    Unspecified = 0,
    /// It was accepted.
    Placed = 1,
    /// It came to another state.
    Entered = 2,
    /// Its owner wants it undone.
    CancellationRequested = 3,
    /// It was given to the carrier.
    Shipped = 4,
}
impl OrderEventType {
    /// String value of the enum field names used in the ProtoBuf definition.
    ///
    /// The values are not transformed in any way and thus are considered stable
    /// (if the ProtoBuf definition does not change) and safe for programmatic use.
    pub fn as_str_name(&self) -> &'static str {
        match self {
            Self::Unspecified => "ORDER_EVENT_TYPE_UNSPECIFIED",
            Self::Placed => "ORDER_EVENT_TYPE_PLACED",
            Self::Entered => "ORDER_EVENT_TYPE_ENTERED",
            Self::CancellationRequested => "ORDER_EVENT_TYPE_CANCELLATION_REQUESTED",
            Self::Shipped => "ORDER_EVENT_TYPE_SHIPPED",
        }
    }
    /// Creates an enum from field names used in the ProtoBuf definition.
    pub fn from_str_name(value: &str) -> ::core::option::Option<Self> {
        match value {
            "ORDER_EVENT_TYPE_UNSPECIFIED" => Some(Self::Unspecified),
            "ORDER_EVENT_TYPE_PLACED" => Some(Self::Placed),
            "ORDER_EVENT_TYPE_ENTERED" => Some(Self::Entered),
            "ORDER_EVENT_TYPE_CANCELLATION_REQUESTED" => Some(Self::CancellationRequested),
            "ORDER_EVENT_TYPE_SHIPPED" => Some(Self::Shipped),
            _ => None,
        }
    }
}
/// Generated client implementations.
pub mod order_service_client {
    #![allow(
        unused_variables,
        dead_code,
        missing_docs,
        clippy::wildcard_imports,
        clippy::let_unit_value
    )]
    use tonic::codegen::http::Uri;
    use tonic::codegen::*;
    /// Orders. Every call asks for a token and sees the caller's own orders, the operator's all of them;
    /// what belongs to somebody else is NOT_FOUND.
    #[derive(Debug, Clone)]
    pub struct OrderServiceClient<T> {
        inner: tonic::client::Grpc<T>,
    }
    impl<T> OrderServiceClient<T>
    where
        T: tonic::client::GrpcService<tonic::body::Body>,
        T::Error: Into<StdError>,
        T::ResponseBody: Body<Data = Bytes> + std::marker::Send + 'static,
        <T::ResponseBody as Body>::Error: Into<StdError> + std::marker::Send,
    {
        pub fn new(inner: T) -> Self {
            let inner = tonic::client::Grpc::new(inner);
            Self { inner }
        }
        pub fn with_origin(inner: T, origin: Uri) -> Self {
            let inner = tonic::client::Grpc::with_origin(inner, origin);
            Self { inner }
        }
        pub fn with_interceptor<F>(
            inner: T,
            interceptor: F,
        ) -> OrderServiceClient<InterceptedService<T, F>>
        where
            F: tonic::service::Interceptor,
            T::ResponseBody: Default,
            T: tonic::codegen::Service<
                    http::Request<tonic::body::Body>,
                    Response = http::Response<
                        <T as tonic::client::GrpcService<tonic::body::Body>>::ResponseBody,
                    >,
                >,
            <T as tonic::codegen::Service<http::Request<tonic::body::Body>>>::Error:
                Into<StdError> + std::marker::Send + std::marker::Sync,
        {
            OrderServiceClient::new(InterceptedService::new(inner, interceptor))
        }
        /// Compress requests with the given encoding.
        ///
        /// This requires the server to support it otherwise it might respond with an
        /// error.
        #[must_use]
        pub fn send_compressed(mut self, encoding: CompressionEncoding) -> Self {
            self.inner = self.inner.send_compressed(encoding);
            self
        }
        /// Enable decompressing responses.
        #[must_use]
        pub fn accept_compressed(mut self, encoding: CompressionEncoding) -> Self {
            self.inner = self.inner.accept_compressed(encoding);
            self
        }
        /// Limits the maximum size of a decoded message.
        ///
        /// Default: `4MB`
        #[must_use]
        pub fn max_decoding_message_size(mut self, limit: usize) -> Self {
            self.inner = self.inner.max_decoding_message_size(limit);
            self
        }
        /// Limits the maximum size of an encoded message.
        ///
        /// Default: `usize::MAX`
        #[must_use]
        pub fn max_encoding_message_size(mut self, limit: usize) -> Self {
            self.inner = self.inner.max_encoding_message_size(limit);
            self
        }
        /// Accepts an order; the workflow that pays, reserves and ships it begins at once.
        pub async fn place_order(
            &mut self,
            request: impl tonic::IntoRequest<super::PlaceOrderRequest>,
        ) -> std::result::Result<tonic::Response<super::PlaceOrderResponse>, tonic::Status>
        {
            self.inner.ready().await.map_err(|e| {
                tonic::Status::unknown(format!("Service was not ready: {}", e.into()))
            })?;
            let codec = tonic_prost::ProstCodec::default();
            let path =
                http::uri::PathAndQuery::from_static("/shop.orders.v1.OrderService/PlaceOrder");
            let mut req = request.into_request();
            req.extensions_mut()
                .insert(GrpcMethod::new("shop.orders.v1.OrderService", "PlaceOrder"));
            self.inner.unary(req, path, codec).await
        }
        /// One order with its history.
        pub async fn get_order(
            &mut self,
            request: impl tonic::IntoRequest<super::GetOrderRequest>,
        ) -> std::result::Result<tonic::Response<super::GetOrderResponse>, tonic::Status> {
            self.inner.ready().await.map_err(|e| {
                tonic::Status::unknown(format!("Service was not ready: {}", e.into()))
            })?;
            let codec = tonic_prost::ProstCodec::default();
            let path =
                http::uri::PathAndQuery::from_static("/shop.orders.v1.OrderService/GetOrder");
            let mut req = request.into_request();
            req.extensions_mut().insert(GrpcMethod::new("shop.orders.v1.OrderService", "GetOrder"));
            self.inner.unary(req, path, codec).await
        }
        /// Orders, newest first. Their histories are left out.
        pub async fn list_orders(
            &mut self,
            request: impl tonic::IntoRequest<super::ListOrdersRequest>,
        ) -> std::result::Result<tonic::Response<super::ListOrdersResponse>, tonic::Status>
        {
            self.inner.ready().await.map_err(|e| {
                tonic::Status::unknown(format!("Service was not ready: {}", e.into()))
            })?;
            let codec = tonic_prost::ProstCodec::default();
            let path =
                http::uri::PathAndQuery::from_static("/shop.orders.v1.OrderService/ListOrders");
            let mut req = request.into_request();
            req.extensions_mut()
                .insert(GrpcMethod::new("shop.orders.v1.OrderService", "ListOrders"));
            self.inner.unary(req, path, codec).await
        }
        /// Asks for an order to be undone. FAILED_PRECONDITION once shipping has been asked for.
        pub async fn cancel_order(
            &mut self,
            request: impl tonic::IntoRequest<super::CancelOrderRequest>,
        ) -> std::result::Result<tonic::Response<super::CancelOrderResponse>, tonic::Status>
        {
            self.inner.ready().await.map_err(|e| {
                tonic::Status::unknown(format!("Service was not ready: {}", e.into()))
            })?;
            let codec = tonic_prost::ProstCodec::default();
            let path =
                http::uri::PathAndQuery::from_static("/shop.orders.v1.OrderService/CancelOrder");
            let mut req = request.into_request();
            req.extensions_mut()
                .insert(GrpcMethod::new("shop.orders.v1.OrderService", "CancelOrder"));
            self.inner.unary(req, path, codec).await
        }
        /// Many orders at once, with their histories. What is not there is left out.
        pub async fn batch_get_orders(
            &mut self,
            request: impl tonic::IntoRequest<super::BatchGetOrdersRequest>,
        ) -> std::result::Result<tonic::Response<super::BatchGetOrdersResponse>, tonic::Status>
        {
            self.inner.ready().await.map_err(|e| {
                tonic::Status::unknown(format!("Service was not ready: {}", e.into()))
            })?;
            let codec = tonic_prost::ProstCodec::default();
            let path =
                http::uri::PathAndQuery::from_static("/shop.orders.v1.OrderService/BatchGetOrders");
            let mut req = request.into_request();
            req.extensions_mut()
                .insert(GrpcMethod::new("shop.orders.v1.OrderService", "BatchGetOrders"));
            self.inner.unary(req, path, codec).await
        }
        /// The order as it is now, and again after every change; ends after a final state.
        pub async fn watch_order(
            &mut self,
            request: impl tonic::IntoRequest<super::WatchOrderRequest>,
        ) -> std::result::Result<
            tonic::Response<tonic::codec::Streaming<super::WatchOrderResponse>>,
            tonic::Status,
        > {
            self.inner.ready().await.map_err(|e| {
                tonic::Status::unknown(format!("Service was not ready: {}", e.into()))
            })?;
            let codec = tonic_prost::ProstCodec::default();
            let path =
                http::uri::PathAndQuery::from_static("/shop.orders.v1.OrderService/WatchOrder");
            let mut req = request.into_request();
            req.extensions_mut()
                .insert(GrpcMethod::new("shop.orders.v1.OrderService", "WatchOrder"));
            self.inner.server_streaming(req, path, codec).await
        }
        /// Everything that was recorded of an order, oldest first.
        pub async fn list_order_events(
            &mut self,
            request: impl tonic::IntoRequest<super::ListOrderEventsRequest>,
        ) -> std::result::Result<tonic::Response<super::ListOrderEventsResponse>, tonic::Status>
        {
            self.inner.ready().await.map_err(|e| {
                tonic::Status::unknown(format!("Service was not ready: {}", e.into()))
            })?;
            let codec = tonic_prost::ProstCodec::default();
            let path = http::uri::PathAndQuery::from_static(
                "/shop.orders.v1.OrderService/ListOrderEvents",
            );
            let mut req = request.into_request();
            req.extensions_mut()
                .insert(GrpcMethod::new("shop.orders.v1.OrderService", "ListOrderEvents"));
            self.inner.unary(req, path, codec).await
        }
    }
}
/// Generated server implementations.
pub mod order_service_server {
    #![allow(
        unused_variables,
        dead_code,
        missing_docs,
        clippy::wildcard_imports,
        clippy::let_unit_value
    )]
    use tonic::codegen::*;
    /// Generated trait containing gRPC methods that should be implemented for use with OrderServiceServer.
    #[async_trait]
    pub trait OrderService: std::marker::Send + std::marker::Sync + 'static {
        /// Accepts an order; the workflow that pays, reserves and ships it begins at once.
        async fn place_order(
            &self,
            request: tonic::Request<super::PlaceOrderRequest>,
        ) -> std::result::Result<tonic::Response<super::PlaceOrderResponse>, tonic::Status>;
        /// One order with its history.
        async fn get_order(
            &self,
            request: tonic::Request<super::GetOrderRequest>,
        ) -> std::result::Result<tonic::Response<super::GetOrderResponse>, tonic::Status>;
        /// Orders, newest first. Their histories are left out.
        async fn list_orders(
            &self,
            request: tonic::Request<super::ListOrdersRequest>,
        ) -> std::result::Result<tonic::Response<super::ListOrdersResponse>, tonic::Status>;
        /// Asks for an order to be undone. FAILED_PRECONDITION once shipping has been asked for.
        async fn cancel_order(
            &self,
            request: tonic::Request<super::CancelOrderRequest>,
        ) -> std::result::Result<tonic::Response<super::CancelOrderResponse>, tonic::Status>;
        /// Many orders at once, with their histories. What is not there is left out.
        async fn batch_get_orders(
            &self,
            request: tonic::Request<super::BatchGetOrdersRequest>,
        ) -> std::result::Result<tonic::Response<super::BatchGetOrdersResponse>, tonic::Status>;
        /// Server streaming response type for the WatchOrder method.
        type WatchOrderStream: tonic::codegen::tokio_stream::Stream<
                Item = std::result::Result<super::WatchOrderResponse, tonic::Status>,
            > + std::marker::Send
            + 'static;
        /// The order as it is now, and again after every change; ends after a final state.
        async fn watch_order(
            &self,
            request: tonic::Request<super::WatchOrderRequest>,
        ) -> std::result::Result<tonic::Response<Self::WatchOrderStream>, tonic::Status>;
        /// Everything that was recorded of an order, oldest first.
        async fn list_order_events(
            &self,
            request: tonic::Request<super::ListOrderEventsRequest>,
        ) -> std::result::Result<tonic::Response<super::ListOrderEventsResponse>, tonic::Status>;
    }
    /// Orders. Every call asks for a token and sees the caller's own orders, the operator's all of them;
    /// what belongs to somebody else is NOT_FOUND.
    #[derive(Debug)]
    pub struct OrderServiceServer<T> {
        inner: Arc<T>,
        accept_compression_encodings: EnabledCompressionEncodings,
        send_compression_encodings: EnabledCompressionEncodings,
        max_decoding_message_size: Option<usize>,
        max_encoding_message_size: Option<usize>,
    }
    impl<T> OrderServiceServer<T> {
        pub fn new(inner: T) -> Self {
            Self::from_arc(Arc::new(inner))
        }
        pub fn from_arc(inner: Arc<T>) -> Self {
            Self {
                inner,
                accept_compression_encodings: Default::default(),
                send_compression_encodings: Default::default(),
                max_decoding_message_size: None,
                max_encoding_message_size: None,
            }
        }
        pub fn with_interceptor<F>(inner: T, interceptor: F) -> InterceptedService<Self, F>
        where
            F: tonic::service::Interceptor,
        {
            InterceptedService::new(Self::new(inner), interceptor)
        }
        /// Enable decompressing requests with the given encoding.
        #[must_use]
        pub fn accept_compressed(mut self, encoding: CompressionEncoding) -> Self {
            self.accept_compression_encodings.enable(encoding);
            self
        }
        /// Compress responses with the given encoding, if the client supports it.
        #[must_use]
        pub fn send_compressed(mut self, encoding: CompressionEncoding) -> Self {
            self.send_compression_encodings.enable(encoding);
            self
        }
        /// Limits the maximum size of a decoded message.
        ///
        /// Default: `4MB`
        #[must_use]
        pub fn max_decoding_message_size(mut self, limit: usize) -> Self {
            self.max_decoding_message_size = Some(limit);
            self
        }
        /// Limits the maximum size of an encoded message.
        ///
        /// Default: `usize::MAX`
        #[must_use]
        pub fn max_encoding_message_size(mut self, limit: usize) -> Self {
            self.max_encoding_message_size = Some(limit);
            self
        }
    }
    impl<T, B> tonic::codegen::Service<http::Request<B>> for OrderServiceServer<T>
    where
        T: OrderService,
        B: Body + std::marker::Send + 'static,
        B::Error: Into<StdError> + std::marker::Send + 'static,
    {
        type Response = http::Response<tonic::body::Body>;
        type Error = std::convert::Infallible;
        type Future = BoxFuture<Self::Response, Self::Error>;
        fn poll_ready(
            &mut self,
            _cx: &mut Context<'_>,
        ) -> Poll<std::result::Result<(), Self::Error>> {
            Poll::Ready(Ok(()))
        }
        fn call(&mut self, req: http::Request<B>) -> Self::Future {
            match req.uri().path() {
                "/shop.orders.v1.OrderService/PlaceOrder" => {
                    #[allow(non_camel_case_types)]
                    struct PlaceOrderSvc<T: OrderService>(pub Arc<T>);
                    impl<T: OrderService> tonic::server::UnaryService<super::PlaceOrderRequest> for PlaceOrderSvc<T> {
                        type Response = super::PlaceOrderResponse;
                        type Future = BoxFuture<tonic::Response<Self::Response>, tonic::Status>;
                        fn call(
                            &mut self,
                            request: tonic::Request<super::PlaceOrderRequest>,
                        ) -> Self::Future {
                            let inner = Arc::clone(&self.0);
                            let fut = async move {
                                <T as OrderService>::place_order(&inner, request).await
                            };
                            Box::pin(fut)
                        }
                    }
                    let accept_compression_encodings = self.accept_compression_encodings;
                    let send_compression_encodings = self.send_compression_encodings;
                    let max_decoding_message_size = self.max_decoding_message_size;
                    let max_encoding_message_size = self.max_encoding_message_size;
                    let inner = self.inner.clone();
                    let fut = async move {
                        let method = PlaceOrderSvc(inner);
                        let codec = tonic_prost::ProstCodec::default();
                        let mut grpc = tonic::server::Grpc::new(codec)
                            .apply_compression_config(
                                accept_compression_encodings,
                                send_compression_encodings,
                            )
                            .apply_max_message_size_config(
                                max_decoding_message_size,
                                max_encoding_message_size,
                            );
                        let res = grpc.unary(method, req).await;
                        Ok(res)
                    };
                    Box::pin(fut)
                }
                "/shop.orders.v1.OrderService/GetOrder" => {
                    #[allow(non_camel_case_types)]
                    struct GetOrderSvc<T: OrderService>(pub Arc<T>);
                    impl<T: OrderService> tonic::server::UnaryService<super::GetOrderRequest> for GetOrderSvc<T> {
                        type Response = super::GetOrderResponse;
                        type Future = BoxFuture<tonic::Response<Self::Response>, tonic::Status>;
                        fn call(
                            &mut self,
                            request: tonic::Request<super::GetOrderRequest>,
                        ) -> Self::Future {
                            let inner = Arc::clone(&self.0);
                            let fut = async move {
                                <T as OrderService>::get_order(&inner, request).await
                            };
                            Box::pin(fut)
                        }
                    }
                    let accept_compression_encodings = self.accept_compression_encodings;
                    let send_compression_encodings = self.send_compression_encodings;
                    let max_decoding_message_size = self.max_decoding_message_size;
                    let max_encoding_message_size = self.max_encoding_message_size;
                    let inner = self.inner.clone();
                    let fut = async move {
                        let method = GetOrderSvc(inner);
                        let codec = tonic_prost::ProstCodec::default();
                        let mut grpc = tonic::server::Grpc::new(codec)
                            .apply_compression_config(
                                accept_compression_encodings,
                                send_compression_encodings,
                            )
                            .apply_max_message_size_config(
                                max_decoding_message_size,
                                max_encoding_message_size,
                            );
                        let res = grpc.unary(method, req).await;
                        Ok(res)
                    };
                    Box::pin(fut)
                }
                "/shop.orders.v1.OrderService/ListOrders" => {
                    #[allow(non_camel_case_types)]
                    struct ListOrdersSvc<T: OrderService>(pub Arc<T>);
                    impl<T: OrderService> tonic::server::UnaryService<super::ListOrdersRequest> for ListOrdersSvc<T> {
                        type Response = super::ListOrdersResponse;
                        type Future = BoxFuture<tonic::Response<Self::Response>, tonic::Status>;
                        fn call(
                            &mut self,
                            request: tonic::Request<super::ListOrdersRequest>,
                        ) -> Self::Future {
                            let inner = Arc::clone(&self.0);
                            let fut = async move {
                                <T as OrderService>::list_orders(&inner, request).await
                            };
                            Box::pin(fut)
                        }
                    }
                    let accept_compression_encodings = self.accept_compression_encodings;
                    let send_compression_encodings = self.send_compression_encodings;
                    let max_decoding_message_size = self.max_decoding_message_size;
                    let max_encoding_message_size = self.max_encoding_message_size;
                    let inner = self.inner.clone();
                    let fut = async move {
                        let method = ListOrdersSvc(inner);
                        let codec = tonic_prost::ProstCodec::default();
                        let mut grpc = tonic::server::Grpc::new(codec)
                            .apply_compression_config(
                                accept_compression_encodings,
                                send_compression_encodings,
                            )
                            .apply_max_message_size_config(
                                max_decoding_message_size,
                                max_encoding_message_size,
                            );
                        let res = grpc.unary(method, req).await;
                        Ok(res)
                    };
                    Box::pin(fut)
                }
                "/shop.orders.v1.OrderService/CancelOrder" => {
                    #[allow(non_camel_case_types)]
                    struct CancelOrderSvc<T: OrderService>(pub Arc<T>);
                    impl<T: OrderService> tonic::server::UnaryService<super::CancelOrderRequest> for CancelOrderSvc<T> {
                        type Response = super::CancelOrderResponse;
                        type Future = BoxFuture<tonic::Response<Self::Response>, tonic::Status>;
                        fn call(
                            &mut self,
                            request: tonic::Request<super::CancelOrderRequest>,
                        ) -> Self::Future {
                            let inner = Arc::clone(&self.0);
                            let fut = async move {
                                <T as OrderService>::cancel_order(&inner, request).await
                            };
                            Box::pin(fut)
                        }
                    }
                    let accept_compression_encodings = self.accept_compression_encodings;
                    let send_compression_encodings = self.send_compression_encodings;
                    let max_decoding_message_size = self.max_decoding_message_size;
                    let max_encoding_message_size = self.max_encoding_message_size;
                    let inner = self.inner.clone();
                    let fut = async move {
                        let method = CancelOrderSvc(inner);
                        let codec = tonic_prost::ProstCodec::default();
                        let mut grpc = tonic::server::Grpc::new(codec)
                            .apply_compression_config(
                                accept_compression_encodings,
                                send_compression_encodings,
                            )
                            .apply_max_message_size_config(
                                max_decoding_message_size,
                                max_encoding_message_size,
                            );
                        let res = grpc.unary(method, req).await;
                        Ok(res)
                    };
                    Box::pin(fut)
                }
                "/shop.orders.v1.OrderService/BatchGetOrders" => {
                    #[allow(non_camel_case_types)]
                    struct BatchGetOrdersSvc<T: OrderService>(pub Arc<T>);
                    impl<T: OrderService> tonic::server::UnaryService<super::BatchGetOrdersRequest>
                        for BatchGetOrdersSvc<T>
                    {
                        type Response = super::BatchGetOrdersResponse;
                        type Future = BoxFuture<tonic::Response<Self::Response>, tonic::Status>;
                        fn call(
                            &mut self,
                            request: tonic::Request<super::BatchGetOrdersRequest>,
                        ) -> Self::Future {
                            let inner = Arc::clone(&self.0);
                            let fut = async move {
                                <T as OrderService>::batch_get_orders(&inner, request).await
                            };
                            Box::pin(fut)
                        }
                    }
                    let accept_compression_encodings = self.accept_compression_encodings;
                    let send_compression_encodings = self.send_compression_encodings;
                    let max_decoding_message_size = self.max_decoding_message_size;
                    let max_encoding_message_size = self.max_encoding_message_size;
                    let inner = self.inner.clone();
                    let fut = async move {
                        let method = BatchGetOrdersSvc(inner);
                        let codec = tonic_prost::ProstCodec::default();
                        let mut grpc = tonic::server::Grpc::new(codec)
                            .apply_compression_config(
                                accept_compression_encodings,
                                send_compression_encodings,
                            )
                            .apply_max_message_size_config(
                                max_decoding_message_size,
                                max_encoding_message_size,
                            );
                        let res = grpc.unary(method, req).await;
                        Ok(res)
                    };
                    Box::pin(fut)
                }
                "/shop.orders.v1.OrderService/WatchOrder" => {
                    #[allow(non_camel_case_types)]
                    struct WatchOrderSvc<T: OrderService>(pub Arc<T>);
                    impl<T: OrderService>
                        tonic::server::ServerStreamingService<super::WatchOrderRequest>
                        for WatchOrderSvc<T>
                    {
                        type Response = super::WatchOrderResponse;
                        type ResponseStream = T::WatchOrderStream;
                        type Future =
                            BoxFuture<tonic::Response<Self::ResponseStream>, tonic::Status>;
                        fn call(
                            &mut self,
                            request: tonic::Request<super::WatchOrderRequest>,
                        ) -> Self::Future {
                            let inner = Arc::clone(&self.0);
                            let fut = async move {
                                <T as OrderService>::watch_order(&inner, request).await
                            };
                            Box::pin(fut)
                        }
                    }
                    let accept_compression_encodings = self.accept_compression_encodings;
                    let send_compression_encodings = self.send_compression_encodings;
                    let max_decoding_message_size = self.max_decoding_message_size;
                    let max_encoding_message_size = self.max_encoding_message_size;
                    let inner = self.inner.clone();
                    let fut = async move {
                        let method = WatchOrderSvc(inner);
                        let codec = tonic_prost::ProstCodec::default();
                        let mut grpc = tonic::server::Grpc::new(codec)
                            .apply_compression_config(
                                accept_compression_encodings,
                                send_compression_encodings,
                            )
                            .apply_max_message_size_config(
                                max_decoding_message_size,
                                max_encoding_message_size,
                            );
                        let res = grpc.server_streaming(method, req).await;
                        Ok(res)
                    };
                    Box::pin(fut)
                }
                "/shop.orders.v1.OrderService/ListOrderEvents" => {
                    #[allow(non_camel_case_types)]
                    struct ListOrderEventsSvc<T: OrderService>(pub Arc<T>);
                    impl<T: OrderService> tonic::server::UnaryService<super::ListOrderEventsRequest>
                        for ListOrderEventsSvc<T>
                    {
                        type Response = super::ListOrderEventsResponse;
                        type Future = BoxFuture<tonic::Response<Self::Response>, tonic::Status>;
                        fn call(
                            &mut self,
                            request: tonic::Request<super::ListOrderEventsRequest>,
                        ) -> Self::Future {
                            let inner = Arc::clone(&self.0);
                            let fut = async move {
                                <T as OrderService>::list_order_events(&inner, request).await
                            };
                            Box::pin(fut)
                        }
                    }
                    let accept_compression_encodings = self.accept_compression_encodings;
                    let send_compression_encodings = self.send_compression_encodings;
                    let max_decoding_message_size = self.max_decoding_message_size;
                    let max_encoding_message_size = self.max_encoding_message_size;
                    let inner = self.inner.clone();
                    let fut = async move {
                        let method = ListOrderEventsSvc(inner);
                        let codec = tonic_prost::ProstCodec::default();
                        let mut grpc = tonic::server::Grpc::new(codec)
                            .apply_compression_config(
                                accept_compression_encodings,
                                send_compression_encodings,
                            )
                            .apply_max_message_size_config(
                                max_decoding_message_size,
                                max_encoding_message_size,
                            );
                        let res = grpc.unary(method, req).await;
                        Ok(res)
                    };
                    Box::pin(fut)
                }
                _ => Box::pin(async move {
                    let mut response = http::Response::new(tonic::body::Body::default());
                    let headers = response.headers_mut();
                    headers.insert(
                        tonic::Status::GRPC_STATUS,
                        (tonic::Code::Unimplemented as i32).into(),
                    );
                    headers.insert(http::header::CONTENT_TYPE, tonic::metadata::GRPC_CONTENT_TYPE);
                    Ok(response)
                }),
            }
        }
    }
    impl<T> Clone for OrderServiceServer<T> {
        fn clone(&self) -> Self {
            let inner = self.inner.clone();
            Self {
                inner,
                accept_compression_encodings: self.accept_compression_encodings,
                send_compression_encodings: self.send_compression_encodings,
                max_decoding_message_size: self.max_decoding_message_size,
                max_encoding_message_size: self.max_encoding_message_size,
            }
        }
    }
    /// Generated gRPC service name
    pub const SERVICE_NAME: &str = "shop.orders.v1.OrderService";
    impl<T> tonic::server::NamedService for OrderServiceServer<T> {
        const NAME: &'static str = SERVICE_NAME;
    }
}
