//! Package `shop.inventory.v1`, made by `cargo xtask codegen` of `shop/contracts/proto`.
//! Change that instead: what is written here by hand is lost.

/// Something that is for sale.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct Product {
    /// What orders call it.
    #[prost(string, tag = "1")]
    pub sku: ::prost::alloc::string::String,
    /// What people call it.
    #[prost(string, tag = "2")]
    pub name: ::prost::alloc::string::String,
    /// What one of it costs.
    #[prost(message, optional, tag = "3")]
    pub price: ::core::option::Option<super::super::common::v1::Money>,
}
/// How much there is of a product.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct Stock {
    /// The product.
    #[prost(string, tag = "1")]
    pub sku: ::prost::alloc::string::String,
    /// In the warehouse.
    #[prost(int64, tag = "2")]
    pub on_hand: i64,
    /// Of these, set aside for orders.
    #[prost(int64, tag = "3")]
    pub reserved: i64,
    /// Of these, free: `on_hand - reserved`.
    #[prost(int64, tag = "4")]
    pub available: i64,
}
/// Which page of the products is wanted.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct ListProductsRequest {
    /// Products on the page: 20 by default, 100 at most; more is taken as 100, less than 0 is refused.
    #[prost(int32, tag = "1")]
    pub page_size: i32,
    /// Where the page begins: `next_page_token` of the page before; empty for the first.
    #[prost(string, tag = "2")]
    pub page_token: ::prost::alloc::string::String,
}
/// A page of products.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct ListProductsResponse {
    /// The products.
    #[prost(message, repeated, tag = "1")]
    pub products: ::prost::alloc::vec::Vec<Product>,
    /// Where the next page begins; empty on the last one.
    #[prost(string, tag = "2")]
    pub next_page_token: ::prost::alloc::string::String,
}
/// Which product is wanted.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct GetProductRequest {
    /// The product.
    #[prost(string, tag = "1")]
    pub sku: ::prost::alloc::string::String,
}
/// The product that was wanted.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct GetProductResponse {
    /// The product.
    #[prost(message, optional, tag = "1")]
    pub product: ::core::option::Option<Product>,
}
/// Whose stock is wanted.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct GetStockRequest {
    /// The product.
    #[prost(string, tag = "1")]
    pub sku: ::prost::alloc::string::String,
}
/// The stock that was wanted.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct GetStockResponse {
    /// The stock.
    #[prost(message, optional, tag = "1")]
    pub stock: ::core::option::Option<Stock>,
}
/// What will be on hand of a product.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct SetStockRequest {
    /// The product.
    #[prost(string, tag = "1")]
    pub sku: ::prost::alloc::string::String,
    /// 0 to 1000000000.
    #[prost(int64, tag = "2")]
    pub on_hand: i64,
}
/// The stock after that.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct SetStockResponse {
    /// The stock.
    #[prost(message, optional, tag = "1")]
    pub stock: ::core::option::Option<Stock>,
}
/// One line of an import.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct ImportStockRequest {
    /// The product.
    #[prost(string, tag = "1")]
    pub sku: ::prost::alloc::string::String,
    /// 0 to 1000000000.
    #[prost(int64, tag = "2")]
    pub on_hand: i64,
}
/// What became of an import, once the caller has sent everything.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct ImportStockResponse {
    /// Lines that were read.
    #[prost(int64, tag = "1")]
    pub received: i64,
    /// Lines that took effect.
    #[prost(int64, tag = "2")]
    pub imported: i64,
    /// Lines that did not: the first 1000 of them.
    #[prost(message, repeated, tag = "3")]
    pub failures: ::prost::alloc::vec::Vec<ImportFailure>,
}
/// A line of an import that had no effect.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct ImportFailure {
    /// Its number, from 1 on.
    #[prost(int64, tag = "1")]
    pub line: i64,
    /// The product that it named.
    #[prost(string, tag = "2")]
    pub sku: ::prost::alloc::string::String,
    /// Why, as in ErrorInfo: `NOT_FOUND`.
    #[prost(string, tag = "3")]
    pub reason: ::prost::alloc::string::String,
    /// For people.
    #[prost(string, tag = "4")]
    pub detail: ::prost::alloc::string::String,
}
/// Which products are wanted.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct BatchGetProductsRequest {
    /// At most 1000 products.
    #[prost(string, repeated, tag = "1")]
    pub skus: ::prost::alloc::vec::Vec<::prost::alloc::string::String>,
}
/// Those of the products that are there.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct BatchGetProductsResponse {
    /// In the order of those that were found, each once.
    #[prost(message, repeated, tag = "1")]
    pub products: ::prost::alloc::vec::Vec<Product>,
}
/// Whose stock is wanted.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct BatchGetStockRequest {
    /// At most 1000 products.
    #[prost(string, repeated, tag = "1")]
    pub skus: ::prost::alloc::vec::Vec<::prost::alloc::string::String>,
}
/// The stock of those that are there.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct BatchGetStockResponse {
    /// In the order of those that were found, each once.
    #[prost(message, repeated, tag = "1")]
    pub stock: ::prost::alloc::vec::Vec<Stock>,
}
/// Generated client implementations.
pub mod inventory_service_client {
    #![allow(
        unused_variables,
        dead_code,
        missing_docs,
        clippy::wildcard_imports,
        clippy::let_unit_value
    )]
    use tonic::codegen::http::Uri;
    use tonic::codegen::*;
    /// Products and stock. Reading needs no token; only the operator changes stock.
    #[derive(Debug, Clone)]
    pub struct InventoryServiceClient<T> {
        inner: tonic::client::Grpc<T>,
    }
    impl<T> InventoryServiceClient<T>
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
        ) -> InventoryServiceClient<InterceptedService<T, F>>
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
            InventoryServiceClient::new(InterceptedService::new(inner, interceptor))
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
        /// Products by sku.
        pub async fn list_products(
            &mut self,
            request: impl tonic::IntoRequest<super::ListProductsRequest>,
        ) -> std::result::Result<tonic::Response<super::ListProductsResponse>, tonic::Status>
        {
            self.inner.ready().await.map_err(|e| {
                tonic::Status::unknown(format!("Service was not ready: {}", e.into()))
            })?;
            let codec = tonic_prost::ProstCodec::default();
            let path = http::uri::PathAndQuery::from_static(
                "/shop.inventory.v1.InventoryService/ListProducts",
            );
            let mut req = request.into_request();
            req.extensions_mut()
                .insert(GrpcMethod::new("shop.inventory.v1.InventoryService", "ListProducts"));
            self.inner.unary(req, path, codec).await
        }
        /// One product.
        pub async fn get_product(
            &mut self,
            request: impl tonic::IntoRequest<super::GetProductRequest>,
        ) -> std::result::Result<tonic::Response<super::GetProductResponse>, tonic::Status>
        {
            self.inner.ready().await.map_err(|e| {
                tonic::Status::unknown(format!("Service was not ready: {}", e.into()))
            })?;
            let codec = tonic_prost::ProstCodec::default();
            let path = http::uri::PathAndQuery::from_static(
                "/shop.inventory.v1.InventoryService/GetProduct",
            );
            let mut req = request.into_request();
            req.extensions_mut()
                .insert(GrpcMethod::new("shop.inventory.v1.InventoryService", "GetProduct"));
            self.inner.unary(req, path, codec).await
        }
        /// How much there is of one product.
        pub async fn get_stock(
            &mut self,
            request: impl tonic::IntoRequest<super::GetStockRequest>,
        ) -> std::result::Result<tonic::Response<super::GetStockResponse>, tonic::Status> {
            self.inner.ready().await.map_err(|e| {
                tonic::Status::unknown(format!("Service was not ready: {}", e.into()))
            })?;
            let codec = tonic_prost::ProstCodec::default();
            let path = http::uri::PathAndQuery::from_static(
                "/shop.inventory.v1.InventoryService/GetStock",
            );
            let mut req = request.into_request();
            req.extensions_mut()
                .insert(GrpcMethod::new("shop.inventory.v1.InventoryService", "GetStock"));
            self.inner.unary(req, path, codec).await
        }
        /// Sets what is on hand of one product. FAILED_PRECONDITION below what is set aside.
        pub async fn set_stock(
            &mut self,
            request: impl tonic::IntoRequest<super::SetStockRequest>,
        ) -> std::result::Result<tonic::Response<super::SetStockResponse>, tonic::Status> {
            self.inner.ready().await.map_err(|e| {
                tonic::Status::unknown(format!("Service was not ready: {}", e.into()))
            })?;
            let codec = tonic_prost::ProstCodec::default();
            let path = http::uri::PathAndQuery::from_static(
                "/shop.inventory.v1.InventoryService/SetStock",
            );
            let mut req = request.into_request();
            req.extensions_mut()
                .insert(GrpcMethod::new("shop.inventory.v1.InventoryService", "SetStock"));
            self.inner.unary(req, path, codec).await
        }
        /// Sets what is on hand of many products, one message for each; what fails does not stop the rest.
        pub async fn import_stock(
            &mut self,
            request: impl tonic::IntoStreamingRequest<Message = super::ImportStockRequest>,
        ) -> std::result::Result<tonic::Response<super::ImportStockResponse>, tonic::Status>
        {
            self.inner.ready().await.map_err(|e| {
                tonic::Status::unknown(format!("Service was not ready: {}", e.into()))
            })?;
            let codec = tonic_prost::ProstCodec::default();
            let path = http::uri::PathAndQuery::from_static(
                "/shop.inventory.v1.InventoryService/ImportStock",
            );
            let mut req = request.into_streaming_request();
            req.extensions_mut()
                .insert(GrpcMethod::new("shop.inventory.v1.InventoryService", "ImportStock"));
            self.inner.client_streaming(req, path, codec).await
        }
        /// Many products at once. What is not there is left out.
        pub async fn batch_get_products(
            &mut self,
            request: impl tonic::IntoRequest<super::BatchGetProductsRequest>,
        ) -> std::result::Result<tonic::Response<super::BatchGetProductsResponse>, tonic::Status>
        {
            self.inner.ready().await.map_err(|e| {
                tonic::Status::unknown(format!("Service was not ready: {}", e.into()))
            })?;
            let codec = tonic_prost::ProstCodec::default();
            let path = http::uri::PathAndQuery::from_static(
                "/shop.inventory.v1.InventoryService/BatchGetProducts",
            );
            let mut req = request.into_request();
            req.extensions_mut()
                .insert(GrpcMethod::new("shop.inventory.v1.InventoryService", "BatchGetProducts"));
            self.inner.unary(req, path, codec).await
        }
        /// The stock of many products at once. What is not there is left out.
        pub async fn batch_get_stock(
            &mut self,
            request: impl tonic::IntoRequest<super::BatchGetStockRequest>,
        ) -> std::result::Result<tonic::Response<super::BatchGetStockResponse>, tonic::Status>
        {
            self.inner.ready().await.map_err(|e| {
                tonic::Status::unknown(format!("Service was not ready: {}", e.into()))
            })?;
            let codec = tonic_prost::ProstCodec::default();
            let path = http::uri::PathAndQuery::from_static(
                "/shop.inventory.v1.InventoryService/BatchGetStock",
            );
            let mut req = request.into_request();
            req.extensions_mut()
                .insert(GrpcMethod::new("shop.inventory.v1.InventoryService", "BatchGetStock"));
            self.inner.unary(req, path, codec).await
        }
    }
}
/// Generated server implementations.
pub mod inventory_service_server {
    #![allow(
        unused_variables,
        dead_code,
        missing_docs,
        clippy::wildcard_imports,
        clippy::let_unit_value
    )]
    use tonic::codegen::*;
    /// Generated trait containing gRPC methods that should be implemented for use with InventoryServiceServer.
    #[async_trait]
    pub trait InventoryService: std::marker::Send + std::marker::Sync + 'static {
        /// Products by sku.
        async fn list_products(
            &self,
            request: tonic::Request<super::ListProductsRequest>,
        ) -> std::result::Result<tonic::Response<super::ListProductsResponse>, tonic::Status>;
        /// One product.
        async fn get_product(
            &self,
            request: tonic::Request<super::GetProductRequest>,
        ) -> std::result::Result<tonic::Response<super::GetProductResponse>, tonic::Status>;
        /// How much there is of one product.
        async fn get_stock(
            &self,
            request: tonic::Request<super::GetStockRequest>,
        ) -> std::result::Result<tonic::Response<super::GetStockResponse>, tonic::Status>;
        /// Sets what is on hand of one product. FAILED_PRECONDITION below what is set aside.
        async fn set_stock(
            &self,
            request: tonic::Request<super::SetStockRequest>,
        ) -> std::result::Result<tonic::Response<super::SetStockResponse>, tonic::Status>;
        /// Sets what is on hand of many products, one message for each; what fails does not stop the rest.
        async fn import_stock(
            &self,
            request: tonic::Request<tonic::Streaming<super::ImportStockRequest>>,
        ) -> std::result::Result<tonic::Response<super::ImportStockResponse>, tonic::Status>;
        /// Many products at once. What is not there is left out.
        async fn batch_get_products(
            &self,
            request: tonic::Request<super::BatchGetProductsRequest>,
        ) -> std::result::Result<tonic::Response<super::BatchGetProductsResponse>, tonic::Status>;
        /// The stock of many products at once. What is not there is left out.
        async fn batch_get_stock(
            &self,
            request: tonic::Request<super::BatchGetStockRequest>,
        ) -> std::result::Result<tonic::Response<super::BatchGetStockResponse>, tonic::Status>;
    }
    /// Products and stock. Reading needs no token; only the operator changes stock.
    #[derive(Debug)]
    pub struct InventoryServiceServer<T> {
        inner: Arc<T>,
        accept_compression_encodings: EnabledCompressionEncodings,
        send_compression_encodings: EnabledCompressionEncodings,
        max_decoding_message_size: Option<usize>,
        max_encoding_message_size: Option<usize>,
    }
    impl<T> InventoryServiceServer<T> {
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
    impl<T, B> tonic::codegen::Service<http::Request<B>> for InventoryServiceServer<T>
    where
        T: InventoryService,
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
                "/shop.inventory.v1.InventoryService/ListProducts" => {
                    #[allow(non_camel_case_types)]
                    struct ListProductsSvc<T: InventoryService>(pub Arc<T>);
                    impl<T: InventoryService>
                        tonic::server::UnaryService<super::ListProductsRequest>
                        for ListProductsSvc<T>
                    {
                        type Response = super::ListProductsResponse;
                        type Future = BoxFuture<tonic::Response<Self::Response>, tonic::Status>;
                        fn call(
                            &mut self,
                            request: tonic::Request<super::ListProductsRequest>,
                        ) -> Self::Future {
                            let inner = Arc::clone(&self.0);
                            let fut = async move {
                                <T as InventoryService>::list_products(&inner, request).await
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
                        let method = ListProductsSvc(inner);
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
                "/shop.inventory.v1.InventoryService/GetProduct" => {
                    #[allow(non_camel_case_types)]
                    struct GetProductSvc<T: InventoryService>(pub Arc<T>);
                    impl<T: InventoryService> tonic::server::UnaryService<super::GetProductRequest>
                        for GetProductSvc<T>
                    {
                        type Response = super::GetProductResponse;
                        type Future = BoxFuture<tonic::Response<Self::Response>, tonic::Status>;
                        fn call(
                            &mut self,
                            request: tonic::Request<super::GetProductRequest>,
                        ) -> Self::Future {
                            let inner = Arc::clone(&self.0);
                            let fut = async move {
                                <T as InventoryService>::get_product(&inner, request).await
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
                        let method = GetProductSvc(inner);
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
                "/shop.inventory.v1.InventoryService/GetStock" => {
                    #[allow(non_camel_case_types)]
                    struct GetStockSvc<T: InventoryService>(pub Arc<T>);
                    impl<T: InventoryService> tonic::server::UnaryService<super::GetStockRequest> for GetStockSvc<T> {
                        type Response = super::GetStockResponse;
                        type Future = BoxFuture<tonic::Response<Self::Response>, tonic::Status>;
                        fn call(
                            &mut self,
                            request: tonic::Request<super::GetStockRequest>,
                        ) -> Self::Future {
                            let inner = Arc::clone(&self.0);
                            let fut = async move {
                                <T as InventoryService>::get_stock(&inner, request).await
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
                        let method = GetStockSvc(inner);
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
                "/shop.inventory.v1.InventoryService/SetStock" => {
                    #[allow(non_camel_case_types)]
                    struct SetStockSvc<T: InventoryService>(pub Arc<T>);
                    impl<T: InventoryService> tonic::server::UnaryService<super::SetStockRequest> for SetStockSvc<T> {
                        type Response = super::SetStockResponse;
                        type Future = BoxFuture<tonic::Response<Self::Response>, tonic::Status>;
                        fn call(
                            &mut self,
                            request: tonic::Request<super::SetStockRequest>,
                        ) -> Self::Future {
                            let inner = Arc::clone(&self.0);
                            let fut = async move {
                                <T as InventoryService>::set_stock(&inner, request).await
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
                        let method = SetStockSvc(inner);
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
                "/shop.inventory.v1.InventoryService/ImportStock" => {
                    #[allow(non_camel_case_types)]
                    struct ImportStockSvc<T: InventoryService>(pub Arc<T>);
                    impl<T: InventoryService>
                        tonic::server::ClientStreamingService<super::ImportStockRequest>
                        for ImportStockSvc<T>
                    {
                        type Response = super::ImportStockResponse;
                        type Future = BoxFuture<tonic::Response<Self::Response>, tonic::Status>;
                        fn call(
                            &mut self,
                            request: tonic::Request<tonic::Streaming<super::ImportStockRequest>>,
                        ) -> Self::Future {
                            let inner = Arc::clone(&self.0);
                            let fut = async move {
                                <T as InventoryService>::import_stock(&inner, request).await
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
                        let method = ImportStockSvc(inner);
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
                        let res = grpc.client_streaming(method, req).await;
                        Ok(res)
                    };
                    Box::pin(fut)
                }
                "/shop.inventory.v1.InventoryService/BatchGetProducts" => {
                    #[allow(non_camel_case_types)]
                    struct BatchGetProductsSvc<T: InventoryService>(pub Arc<T>);
                    impl<T: InventoryService>
                        tonic::server::UnaryService<super::BatchGetProductsRequest>
                        for BatchGetProductsSvc<T>
                    {
                        type Response = super::BatchGetProductsResponse;
                        type Future = BoxFuture<tonic::Response<Self::Response>, tonic::Status>;
                        fn call(
                            &mut self,
                            request: tonic::Request<super::BatchGetProductsRequest>,
                        ) -> Self::Future {
                            let inner = Arc::clone(&self.0);
                            let fut = async move {
                                <T as InventoryService>::batch_get_products(&inner, request).await
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
                        let method = BatchGetProductsSvc(inner);
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
                "/shop.inventory.v1.InventoryService/BatchGetStock" => {
                    #[allow(non_camel_case_types)]
                    struct BatchGetStockSvc<T: InventoryService>(pub Arc<T>);
                    impl<T: InventoryService>
                        tonic::server::UnaryService<super::BatchGetStockRequest>
                        for BatchGetStockSvc<T>
                    {
                        type Response = super::BatchGetStockResponse;
                        type Future = BoxFuture<tonic::Response<Self::Response>, tonic::Status>;
                        fn call(
                            &mut self,
                            request: tonic::Request<super::BatchGetStockRequest>,
                        ) -> Self::Future {
                            let inner = Arc::clone(&self.0);
                            let fut = async move {
                                <T as InventoryService>::batch_get_stock(&inner, request).await
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
                        let method = BatchGetStockSvc(inner);
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
    impl<T> Clone for InventoryServiceServer<T> {
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
    pub const SERVICE_NAME: &str = "shop.inventory.v1.InventoryService";
    impl<T> tonic::server::NamedService for InventoryServiceServer<T> {
        const NAME: &'static str = SERVICE_NAME;
    }
}
