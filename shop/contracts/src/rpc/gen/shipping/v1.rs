//! Package `shop.shipping.v1`, made by `cargo xtask codegen` of `shop/contracts/proto`.
//! Change that instead: what is written here by hand is lost.

/// A parcel.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct Shipment {
    /// Its id.
    #[prost(string, tag = "1")]
    pub id: ::prost::alloc::string::String,
    /// The order that it belongs to.
    #[prost(string, tag = "2")]
    pub order_id: ::prost::alloc::string::String,
    /// Who placed the order.
    #[prost(string, tag = "3")]
    pub user_id: ::prost::alloc::string::String,
    /// What it is doing.
    #[prost(enumeration = "ShipmentStatus", tag = "4")]
    pub status: i32,
    /// What the carrier calls it.
    #[prost(string, tag = "5")]
    pub tracking_number: ::prost::alloc::string::String,
    /// Who carries it.
    #[prost(string, tag = "6")]
    pub carrier: ::prost::alloc::string::String,
    /// Where it goes.
    #[prost(message, optional, tag = "7")]
    pub ship_to: ::core::option::Option<super::super::common::v1::ShipTo>,
    /// What is in it.
    #[prost(message, repeated, tag = "8")]
    pub items: ::prost::alloc::vec::Vec<super::super::common::v1::Item>,
    /// When it was handed over.
    #[prost(message, optional, tag = "9")]
    pub created_at: ::core::option::Option<::prost_types::Timestamp>,
}
/// Which shipment is wanted.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct GetShipmentRequest {
    /// The shipment.
    #[prost(string, tag = "1")]
    pub id: ::prost::alloc::string::String,
}
/// The shipment that was wanted.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct GetShipmentResponse {
    /// The shipment.
    #[prost(message, optional, tag = "1")]
    pub shipment: ::core::option::Option<Shipment>,
}
/// Which page of the shipments is wanted.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct ListShipmentsRequest {
    /// Only that of this order; of every order if empty.
    #[prost(string, tag = "1")]
    pub order_id: ::prost::alloc::string::String,
    /// Shipments on the page: 20 by default, 100 at most; more is taken as 100, less than 0 is refused.
    #[prost(int32, tag = "2")]
    pub page_size: i32,
    /// Where the page begins: `next_page_token` of the page before; empty for the first.
    #[prost(string, tag = "3")]
    pub page_token: ::prost::alloc::string::String,
}
/// A page of shipments.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct ListShipmentsResponse {
    /// The shipments.
    #[prost(message, repeated, tag = "1")]
    pub shipments: ::prost::alloc::vec::Vec<Shipment>,
    /// Where the next page begins; empty on the last one.
    #[prost(string, tag = "2")]
    pub next_page_token: ::prost::alloc::string::String,
}
/// Whose shipments are wanted.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct BatchGetShipmentsRequest {
    /// At most 1000 orders.
    #[prost(string, repeated, tag = "1")]
    pub order_ids: ::prost::alloc::vec::Vec<::prost::alloc::string::String>,
}
/// The shipments of those orders that have one.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct BatchGetShipmentsResponse {
    /// In the order of the orders that have one, each once.
    #[prost(message, repeated, tag = "1")]
    pub shipments: ::prost::alloc::vec::Vec<Shipment>,
}
/// What a parcel is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, ::prost::Enumeration)]
#[repr(i32)]
pub enum ShipmentStatus {
    /// Not said.
    Unspecified = 0,
    /// It was handed to the carrier and is on its way.
    Shipped = 1,
}
impl ShipmentStatus {
    /// String value of the enum field names used in the ProtoBuf definition.
    ///
    /// The values are not transformed in any way and thus are considered stable
    /// (if the ProtoBuf definition does not change) and safe for programmatic use.
    pub fn as_str_name(&self) -> &'static str {
        match self {
            Self::Unspecified => "SHIPMENT_STATUS_UNSPECIFIED",
            Self::Shipped => "SHIPMENT_STATUS_SHIPPED",
        }
    }
    /// Creates an enum from field names used in the ProtoBuf definition.
    pub fn from_str_name(value: &str) -> ::core::option::Option<Self> {
        match value {
            "SHIPMENT_STATUS_UNSPECIFIED" => Some(Self::Unspecified),
            "SHIPMENT_STATUS_SHIPPED" => Some(Self::Shipped),
            _ => None,
        }
    }
}
/// Generated client implementations.
pub mod shipping_service_client {
    #![allow(
        unused_variables,
        dead_code,
        missing_docs,
        clippy::wildcard_imports,
        clippy::let_unit_value
    )]
    use tonic::codegen::http::Uri;
    use tonic::codegen::*;
    /// Shipments. Every call asks for a token; what belongs to somebody else is NOT_FOUND.
    #[derive(Debug, Clone)]
    pub struct ShippingServiceClient<T> {
        inner: tonic::client::Grpc<T>,
    }
    impl<T> ShippingServiceClient<T>
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
        ) -> ShippingServiceClient<InterceptedService<T, F>>
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
            ShippingServiceClient::new(InterceptedService::new(inner, interceptor))
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
        /// One shipment.
        pub async fn get_shipment(
            &mut self,
            request: impl tonic::IntoRequest<super::GetShipmentRequest>,
        ) -> std::result::Result<tonic::Response<super::GetShipmentResponse>, tonic::Status>
        {
            self.inner.ready().await.map_err(|e| {
                tonic::Status::unknown(format!("Service was not ready: {}", e.into()))
            })?;
            let codec = tonic_prost::ProstCodec::default();
            let path = http::uri::PathAndQuery::from_static(
                "/shop.shipping.v1.ShippingService/GetShipment",
            );
            let mut req = request.into_request();
            req.extensions_mut()
                .insert(GrpcMethod::new("shop.shipping.v1.ShippingService", "GetShipment"));
            self.inner.unary(req, path, codec).await
        }
        /// Shipments, newest first: the caller's own, the operator's all.
        pub async fn list_shipments(
            &mut self,
            request: impl tonic::IntoRequest<super::ListShipmentsRequest>,
        ) -> std::result::Result<tonic::Response<super::ListShipmentsResponse>, tonic::Status>
        {
            self.inner.ready().await.map_err(|e| {
                tonic::Status::unknown(format!("Service was not ready: {}", e.into()))
            })?;
            let codec = tonic_prost::ProstCodec::default();
            let path = http::uri::PathAndQuery::from_static(
                "/shop.shipping.v1.ShippingService/ListShipments",
            );
            let mut req = request.into_request();
            req.extensions_mut()
                .insert(GrpcMethod::new("shop.shipping.v1.ShippingService", "ListShipments"));
            self.inner.unary(req, path, codec).await
        }
        /// The shipments of many orders at once. What is not there, or not the caller's, is left out.
        pub async fn batch_get_shipments(
            &mut self,
            request: impl tonic::IntoRequest<super::BatchGetShipmentsRequest>,
        ) -> std::result::Result<tonic::Response<super::BatchGetShipmentsResponse>, tonic::Status>
        {
            self.inner.ready().await.map_err(|e| {
                tonic::Status::unknown(format!("Service was not ready: {}", e.into()))
            })?;
            let codec = tonic_prost::ProstCodec::default();
            let path = http::uri::PathAndQuery::from_static(
                "/shop.shipping.v1.ShippingService/BatchGetShipments",
            );
            let mut req = request.into_request();
            req.extensions_mut()
                .insert(GrpcMethod::new("shop.shipping.v1.ShippingService", "BatchGetShipments"));
            self.inner.unary(req, path, codec).await
        }
    }
}
/// Generated server implementations.
pub mod shipping_service_server {
    #![allow(
        unused_variables,
        dead_code,
        missing_docs,
        clippy::wildcard_imports,
        clippy::let_unit_value
    )]
    use tonic::codegen::*;
    /// Generated trait containing gRPC methods that should be implemented for use with ShippingServiceServer.
    #[async_trait]
    pub trait ShippingService: std::marker::Send + std::marker::Sync + 'static {
        /// One shipment.
        async fn get_shipment(
            &self,
            request: tonic::Request<super::GetShipmentRequest>,
        ) -> std::result::Result<tonic::Response<super::GetShipmentResponse>, tonic::Status>;
        /// Shipments, newest first: the caller's own, the operator's all.
        async fn list_shipments(
            &self,
            request: tonic::Request<super::ListShipmentsRequest>,
        ) -> std::result::Result<tonic::Response<super::ListShipmentsResponse>, tonic::Status>;
        /// The shipments of many orders at once. What is not there, or not the caller's, is left out.
        async fn batch_get_shipments(
            &self,
            request: tonic::Request<super::BatchGetShipmentsRequest>,
        ) -> std::result::Result<tonic::Response<super::BatchGetShipmentsResponse>, tonic::Status>;
    }
    /// Shipments. Every call asks for a token; what belongs to somebody else is NOT_FOUND.
    #[derive(Debug)]
    pub struct ShippingServiceServer<T> {
        inner: Arc<T>,
        accept_compression_encodings: EnabledCompressionEncodings,
        send_compression_encodings: EnabledCompressionEncodings,
        max_decoding_message_size: Option<usize>,
        max_encoding_message_size: Option<usize>,
    }
    impl<T> ShippingServiceServer<T> {
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
    impl<T, B> tonic::codegen::Service<http::Request<B>> for ShippingServiceServer<T>
    where
        T: ShippingService,
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
                "/shop.shipping.v1.ShippingService/GetShipment" => {
                    #[allow(non_camel_case_types)]
                    struct GetShipmentSvc<T: ShippingService>(pub Arc<T>);
                    impl<T: ShippingService> tonic::server::UnaryService<super::GetShipmentRequest>
                        for GetShipmentSvc<T>
                    {
                        type Response = super::GetShipmentResponse;
                        type Future = BoxFuture<tonic::Response<Self::Response>, tonic::Status>;
                        fn call(
                            &mut self,
                            request: tonic::Request<super::GetShipmentRequest>,
                        ) -> Self::Future {
                            let inner = Arc::clone(&self.0);
                            let fut = async move {
                                <T as ShippingService>::get_shipment(&inner, request).await
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
                        let method = GetShipmentSvc(inner);
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
                "/shop.shipping.v1.ShippingService/ListShipments" => {
                    #[allow(non_camel_case_types)]
                    struct ListShipmentsSvc<T: ShippingService>(pub Arc<T>);
                    impl<T: ShippingService>
                        tonic::server::UnaryService<super::ListShipmentsRequest>
                        for ListShipmentsSvc<T>
                    {
                        type Response = super::ListShipmentsResponse;
                        type Future = BoxFuture<tonic::Response<Self::Response>, tonic::Status>;
                        fn call(
                            &mut self,
                            request: tonic::Request<super::ListShipmentsRequest>,
                        ) -> Self::Future {
                            let inner = Arc::clone(&self.0);
                            let fut = async move {
                                <T as ShippingService>::list_shipments(&inner, request).await
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
                        let method = ListShipmentsSvc(inner);
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
                "/shop.shipping.v1.ShippingService/BatchGetShipments" => {
                    #[allow(non_camel_case_types)]
                    struct BatchGetShipmentsSvc<T: ShippingService>(pub Arc<T>);
                    impl<T: ShippingService>
                        tonic::server::UnaryService<super::BatchGetShipmentsRequest>
                        for BatchGetShipmentsSvc<T>
                    {
                        type Response = super::BatchGetShipmentsResponse;
                        type Future = BoxFuture<tonic::Response<Self::Response>, tonic::Status>;
                        fn call(
                            &mut self,
                            request: tonic::Request<super::BatchGetShipmentsRequest>,
                        ) -> Self::Future {
                            let inner = Arc::clone(&self.0);
                            let fut = async move {
                                <T as ShippingService>::batch_get_shipments(&inner, request).await
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
                        let method = BatchGetShipmentsSvc(inner);
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
    impl<T> Clone for ShippingServiceServer<T> {
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
    pub const SERVICE_NAME: &str = "shop.shipping.v1.ShippingService";
    impl<T> tonic::server::NamedService for ShippingServiceServer<T> {
        const NAME: &'static str = SERVICE_NAME;
    }
}
