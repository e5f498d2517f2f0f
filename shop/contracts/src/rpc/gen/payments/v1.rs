//! Package `shop.payments.v1`, made by `cargo xtask codegen` of `shop/contracts/proto`.
//! Change that instead: what is written here by hand is lost.

/// An account after some events.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct Account {
    /// Its id.
    #[prost(string, tag = "1")]
    pub id: ::prost::alloc::string::String,
    /// Whose it is.
    #[prost(string, tag = "2")]
    pub owner_id: ::prost::alloc::string::String,
    /// Its currency, for ever: ISO 4217.
    #[prost(string, tag = "3")]
    pub currency: ::prost::alloc::string::String,
    /// What is on it.
    #[prost(message, optional, tag = "4")]
    pub balance: ::core::option::Option<super::super::common::v1::Money>,
    /// How many events have made it.
    #[prost(uint64, tag = "5")]
    pub version: u64,
    /// Whether its owner has left.
    #[prost(bool, tag = "6")]
    pub closed: bool,
    /// When it was opened.
    #[prost(message, optional, tag = "7")]
    pub created_at: ::core::option::Option<::prost_types::Timestamp>,
}
/// Something that happened to an account.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct AccountEvent {
    /// Its number, from 1 on: the account's version after it.
    #[prost(uint64, tag = "1")]
    pub seq: u64,
    /// What has happened.
    #[prost(enumeration = "AccountEventType", tag = "2")]
    pub r#type: i32,
    /// When.
    #[prost(message, optional, tag = "3")]
    pub at: ::core::option::Option<::prost_types::Timestamp>,
    /// How much money moved, if any did.
    #[prost(message, optional, tag = "4")]
    pub amount: ::core::option::Option<super::super::common::v1::Money>,
    /// The order; only for CHARGED and REFUNDED.
    #[prost(string, optional, tag = "5")]
    pub order_id: ::core::option::Option<::prost::alloc::string::String>,
}
/// Money that its owner has moved.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct Movement {
    /// Its id: the account's and the event's number.
    #[prost(string, tag = "1")]
    pub id: ::prost::alloc::string::String,
    /// The account.
    #[prost(string, tag = "2")]
    pub account_id: ::prost::alloc::string::String,
    /// DEPOSITED or WITHDRAWN.
    #[prost(enumeration = "AccountEventType", tag = "3")]
    pub r#type: i32,
    /// The number of the event that it became: the account's version after it.
    #[prost(uint64, tag = "4")]
    pub seq: u64,
    /// How much.
    #[prost(message, optional, tag = "5")]
    pub amount: ::core::option::Option<super::super::common::v1::Money>,
    /// What is on the account after it.
    #[prost(message, optional, tag = "6")]
    pub balance: ::core::option::Option<super::super::common::v1::Money>,
}
/// An account to be opened.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct CreateAccountRequest {
    /// ISO 4217: three capital letters.
    #[prost(string, tag = "1")]
    pub currency: ::prost::alloc::string::String,
}
/// The account that was opened.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct CreateAccountResponse {
    /// The account.
    #[prost(message, optional, tag = "1")]
    pub account: ::core::option::Option<Account>,
}
/// Which account is wanted, and as it was when.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct GetAccountRequest {
    /// The account.
    #[prost(string, tag = "1")]
    pub id: ::prost::alloc::string::String,
    /// The moment; now if not set.
    #[prost(oneof = "get_account_request::Moment", tags = "2, 3")]
    pub moment: ::core::option::Option<get_account_request::Moment>,
}
/// Nested message and enum types in `GetAccountRequest`.
pub mod get_account_request {
    /// The moment; now if not set.
    #[derive(Clone, Copy, PartialEq, Eq, Hash, ::prost::Oneof)]
    pub enum Moment {
        /// After so many events, from 1 on.
        #[prost(uint64, tag = "2")]
        Version(u64),
        /// At this time.
        #[prost(message, tag = "3")]
        At(::prost_types::Timestamp),
    }
}
/// The account that was wanted.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct GetAccountResponse {
    /// The account.
    #[prost(message, optional, tag = "1")]
    pub account: ::core::option::Option<Account>,
}
/// Which page of the accounts is wanted.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct ListAccountsRequest {
    /// Accounts on the page: 20 by default, 100 at most; more is taken as 100, less than 0 is refused.
    #[prost(int32, tag = "1")]
    pub page_size: i32,
    /// Where the page begins: `next_page_token` of the page before; empty for the first.
    #[prost(string, tag = "2")]
    pub page_token: ::prost::alloc::string::String,
}
/// A page of accounts.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct ListAccountsResponse {
    /// The accounts.
    #[prost(message, repeated, tag = "1")]
    pub accounts: ::prost::alloc::vec::Vec<Account>,
    /// Where the next page begins; empty on the last one.
    #[prost(string, tag = "2")]
    pub next_page_token: ::prost::alloc::string::String,
}
/// Money to be paid in.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct DepositRequest {
    /// The account.
    #[prost(string, tag = "1")]
    pub account_id: ::prost::alloc::string::String,
    /// Minor units of the account's currency, from 1 on.
    #[prost(int64, tag = "2")]
    pub amount: i64,
    /// A name of the caller's own for this call: repeated with it, the money moves once.
    #[prost(string, tag = "3")]
    pub idempotency_key: ::prost::alloc::string::String,
}
/// The money was paid in.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct DepositResponse {
    /// What has moved.
    #[prost(message, optional, tag = "1")]
    pub movement: ::core::option::Option<Movement>,
    /// Whether an earlier call with the same key has moved it.
    #[prost(bool, tag = "2")]
    pub replayed: bool,
}
/// Money to be taken out.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct WithdrawRequest {
    /// The account.
    #[prost(string, tag = "1")]
    pub account_id: ::prost::alloc::string::String,
    /// Minor units of the account's currency, from 1 on.
    #[prost(int64, tag = "2")]
    pub amount: i64,
    /// A name of the caller's own for this call: repeated with it, the money moves once.
    #[prost(string, tag = "3")]
    pub idempotency_key: ::prost::alloc::string::String,
}
/// The money was taken out.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct WithdrawResponse {
    /// What has moved.
    #[prost(message, optional, tag = "1")]
    pub movement: ::core::option::Option<Movement>,
    /// Whether an earlier call with the same key has moved it.
    #[prost(bool, tag = "2")]
    pub replayed: bool,
}
/// Which page of an account's events is wanted.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct ListAccountEventsRequest {
    /// The account.
    #[prost(string, tag = "1")]
    pub account_id: ::prost::alloc::string::String,
    /// Events on the page: 20 by default, 100 at most; more is taken as 100, less than 0 is refused.
    #[prost(int32, tag = "2")]
    pub page_size: i32,
    /// Where the page begins: `next_page_token` of the page before; empty for the first.
    #[prost(string, tag = "3")]
    pub page_token: ::prost::alloc::string::String,
}
/// A page of events.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct ListAccountEventsResponse {
    /// The events, oldest first.
    #[prost(message, repeated, tag = "1")]
    pub events: ::prost::alloc::vec::Vec<AccountEvent>,
    /// Where the next page begins; empty on the last one.
    #[prost(string, tag = "2")]
    pub next_page_token: ::prost::alloc::string::String,
}
/// Which accounts are wanted.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct BatchGetAccountsRequest {
    /// At most 1000 ids.
    #[prost(string, repeated, tag = "1")]
    pub ids: ::prost::alloc::vec::Vec<::prost::alloc::string::String>,
}
/// Those of the accounts that are there and that the caller may see.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct BatchGetAccountsResponse {
    /// In the order of the ids that were found, each once.
    #[prost(message, repeated, tag = "1")]
    pub accounts: ::prost::alloc::vec::Vec<Account>,
}
/// Whose events are wanted.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct BatchListAccountEventsRequest {
    /// At most 1000 accounts.
    #[prost(string, repeated, tag = "1")]
    pub account_ids: ::prost::alloc::vec::Vec<::prost::alloc::string::String>,
    /// Events of each: 20 by default, 100 at most; more is taken as 100, less than 0 is refused.
    #[prost(int32, tag = "2")]
    pub limit: i32,
}
/// The events of those accounts that are there.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct BatchListAccountEventsResponse {
    /// In the order of the accounts that were found, each once.
    #[prost(message, repeated, tag = "1")]
    pub accounts: ::prost::alloc::vec::Vec<EventsOfAccount>,
}
/// The first events of one account.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct EventsOfAccount {
    /// The account.
    #[prost(string, tag = "1")]
    pub account_id: ::prost::alloc::string::String,
    /// Its events, oldest first.
    #[prost(message, repeated, tag = "2")]
    pub events: ::prost::alloc::vec::Vec<AccountEvent>,
    /// Where its next page begins, for ListAccountEvents; empty when these are all.
    #[prost(string, tag = "3")]
    pub next_page_token: ::prost::alloc::string::String,
}
/// What can have happened to an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, ::prost::Enumeration)]
#[repr(i32)]
pub enum AccountEventType {
    /// Not said.
    Unspecified = 0,
    /// Somebody opened it.
    Created = 1,
    /// Money was paid in.
    Deposited = 2,
    /// Money was taken out.
    Withdrawn = 3,
    /// An order was paid.
    Charged = 4,
    /// An order's money came back.
    Refunded = 5,
    /// Its owner has left.
    Closed = 6,
}
impl AccountEventType {
    /// String value of the enum field names used in the ProtoBuf definition.
    ///
    /// The values are not transformed in any way and thus are considered stable
    /// (if the ProtoBuf definition does not change) and safe for programmatic use.
    pub fn as_str_name(&self) -> &'static str {
        match self {
            Self::Unspecified => "ACCOUNT_EVENT_TYPE_UNSPECIFIED",
            Self::Created => "ACCOUNT_EVENT_TYPE_CREATED",
            Self::Deposited => "ACCOUNT_EVENT_TYPE_DEPOSITED",
            Self::Withdrawn => "ACCOUNT_EVENT_TYPE_WITHDRAWN",
            Self::Charged => "ACCOUNT_EVENT_TYPE_CHARGED",
            Self::Refunded => "ACCOUNT_EVENT_TYPE_REFUNDED",
            Self::Closed => "ACCOUNT_EVENT_TYPE_CLOSED",
        }
    }
    /// Creates an enum from field names used in the ProtoBuf definition.
    pub fn from_str_name(value: &str) -> ::core::option::Option<Self> {
        match value {
            "ACCOUNT_EVENT_TYPE_UNSPECIFIED" => Some(Self::Unspecified),
            "ACCOUNT_EVENT_TYPE_CREATED" => Some(Self::Created),
            "ACCOUNT_EVENT_TYPE_DEPOSITED" => Some(Self::Deposited),
            "ACCOUNT_EVENT_TYPE_WITHDRAWN" => Some(Self::Withdrawn),
            "ACCOUNT_EVENT_TYPE_CHARGED" => Some(Self::Charged),
            "ACCOUNT_EVENT_TYPE_REFUNDED" => Some(Self::Refunded),
            "ACCOUNT_EVENT_TYPE_CLOSED" => Some(Self::Closed),
            _ => None,
        }
    }
}
/// Generated client implementations.
pub mod payment_service_client {
    #![allow(
        unused_variables,
        dead_code,
        missing_docs,
        clippy::wildcard_imports,
        clippy::let_unit_value
    )]
    use tonic::codegen::http::Uri;
    use tonic::codegen::*;
    /// Accounts. Every call asks for a token; what belongs to somebody else is NOT_FOUND.
    #[derive(Debug, Clone)]
    pub struct PaymentServiceClient<T> {
        inner: tonic::client::Grpc<T>,
    }
    impl<T> PaymentServiceClient<T>
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
        ) -> PaymentServiceClient<InterceptedService<T, F>>
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
            PaymentServiceClient::new(InterceptedService::new(inner, interceptor))
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
        /// Opens an account for the caller.
        pub async fn create_account(
            &mut self,
            request: impl tonic::IntoRequest<super::CreateAccountRequest>,
        ) -> std::result::Result<tonic::Response<super::CreateAccountResponse>, tonic::Status>
        {
            self.inner.ready().await.map_err(|e| {
                tonic::Status::unknown(format!("Service was not ready: {}", e.into()))
            })?;
            let codec = tonic_prost::ProstCodec::default();
            let path = http::uri::PathAndQuery::from_static(
                "/shop.payments.v1.PaymentService/CreateAccount",
            );
            let mut req = request.into_request();
            req.extensions_mut()
                .insert(GrpcMethod::new("shop.payments.v1.PaymentService", "CreateAccount"));
            self.inner.unary(req, path, codec).await
        }
        /// An account now, or as it was.
        pub async fn get_account(
            &mut self,
            request: impl tonic::IntoRequest<super::GetAccountRequest>,
        ) -> std::result::Result<tonic::Response<super::GetAccountResponse>, tonic::Status>
        {
            self.inner.ready().await.map_err(|e| {
                tonic::Status::unknown(format!("Service was not ready: {}", e.into()))
            })?;
            let codec = tonic_prost::ProstCodec::default();
            let path =
                http::uri::PathAndQuery::from_static("/shop.payments.v1.PaymentService/GetAccount");
            let mut req = request.into_request();
            req.extensions_mut()
                .insert(GrpcMethod::new("shop.payments.v1.PaymentService", "GetAccount"));
            self.inner.unary(req, path, codec).await
        }
        /// The caller's accounts, oldest first.
        pub async fn list_accounts(
            &mut self,
            request: impl tonic::IntoRequest<super::ListAccountsRequest>,
        ) -> std::result::Result<tonic::Response<super::ListAccountsResponse>, tonic::Status>
        {
            self.inner.ready().await.map_err(|e| {
                tonic::Status::unknown(format!("Service was not ready: {}", e.into()))
            })?;
            let codec = tonic_prost::ProstCodec::default();
            let path = http::uri::PathAndQuery::from_static(
                "/shop.payments.v1.PaymentService/ListAccounts",
            );
            let mut req = request.into_request();
            req.extensions_mut()
                .insert(GrpcMethod::new("shop.payments.v1.PaymentService", "ListAccounts"));
            self.inner.unary(req, path, codec).await
        }
        /// Pays money in. Only the owner does. FAILED_PRECONDITION when the account says no.
        pub async fn deposit(
            &mut self,
            request: impl tonic::IntoRequest<super::DepositRequest>,
        ) -> std::result::Result<tonic::Response<super::DepositResponse>, tonic::Status> {
            self.inner.ready().await.map_err(|e| {
                tonic::Status::unknown(format!("Service was not ready: {}", e.into()))
            })?;
            let codec = tonic_prost::ProstCodec::default();
            let path =
                http::uri::PathAndQuery::from_static("/shop.payments.v1.PaymentService/Deposit");
            let mut req = request.into_request();
            req.extensions_mut()
                .insert(GrpcMethod::new("shop.payments.v1.PaymentService", "Deposit"));
            self.inner.unary(req, path, codec).await
        }
        /// Takes money out. Only the owner does. FAILED_PRECONDITION when the account says no.
        pub async fn withdraw(
            &mut self,
            request: impl tonic::IntoRequest<super::WithdrawRequest>,
        ) -> std::result::Result<tonic::Response<super::WithdrawResponse>, tonic::Status> {
            self.inner.ready().await.map_err(|e| {
                tonic::Status::unknown(format!("Service was not ready: {}", e.into()))
            })?;
            let codec = tonic_prost::ProstCodec::default();
            let path =
                http::uri::PathAndQuery::from_static("/shop.payments.v1.PaymentService/Withdraw");
            let mut req = request.into_request();
            req.extensions_mut()
                .insert(GrpcMethod::new("shop.payments.v1.PaymentService", "Withdraw"));
            self.inner.unary(req, path, codec).await
        }
        /// What happened to an account, oldest first.
        pub async fn list_account_events(
            &mut self,
            request: impl tonic::IntoRequest<super::ListAccountEventsRequest>,
        ) -> std::result::Result<tonic::Response<super::ListAccountEventsResponse>, tonic::Status>
        {
            self.inner.ready().await.map_err(|e| {
                tonic::Status::unknown(format!("Service was not ready: {}", e.into()))
            })?;
            let codec = tonic_prost::ProstCodec::default();
            let path = http::uri::PathAndQuery::from_static(
                "/shop.payments.v1.PaymentService/ListAccountEvents",
            );
            let mut req = request.into_request();
            req.extensions_mut()
                .insert(GrpcMethod::new("shop.payments.v1.PaymentService", "ListAccountEvents"));
            self.inner.unary(req, path, codec).await
        }
        /// Many accounts at once. What is not there, or not the caller's, is left out.
        pub async fn batch_get_accounts(
            &mut self,
            request: impl tonic::IntoRequest<super::BatchGetAccountsRequest>,
        ) -> std::result::Result<tonic::Response<super::BatchGetAccountsResponse>, tonic::Status>
        {
            self.inner.ready().await.map_err(|e| {
                tonic::Status::unknown(format!("Service was not ready: {}", e.into()))
            })?;
            let codec = tonic_prost::ProstCodec::default();
            let path = http::uri::PathAndQuery::from_static(
                "/shop.payments.v1.PaymentService/BatchGetAccounts",
            );
            let mut req = request.into_request();
            req.extensions_mut()
                .insert(GrpcMethod::new("shop.payments.v1.PaymentService", "BatchGetAccounts"));
            self.inner.unary(req, path, codec).await
        }
        /// The first events of many accounts at once. What is not there, or not the caller's, is left out.
        pub async fn batch_list_account_events(
            &mut self,
            request: impl tonic::IntoRequest<super::BatchListAccountEventsRequest>,
        ) -> std::result::Result<
            tonic::Response<super::BatchListAccountEventsResponse>,
            tonic::Status,
        > {
            self.inner.ready().await.map_err(|e| {
                tonic::Status::unknown(format!("Service was not ready: {}", e.into()))
            })?;
            let codec = tonic_prost::ProstCodec::default();
            let path = http::uri::PathAndQuery::from_static(
                "/shop.payments.v1.PaymentService/BatchListAccountEvents",
            );
            let mut req = request.into_request();
            req.extensions_mut().insert(GrpcMethod::new(
                "shop.payments.v1.PaymentService",
                "BatchListAccountEvents",
            ));
            self.inner.unary(req, path, codec).await
        }
    }
}
/// Generated server implementations.
pub mod payment_service_server {
    #![allow(
        unused_variables,
        dead_code,
        missing_docs,
        clippy::wildcard_imports,
        clippy::let_unit_value
    )]
    use tonic::codegen::*;
    /// Generated trait containing gRPC methods that should be implemented for use with PaymentServiceServer.
    #[async_trait]
    pub trait PaymentService: std::marker::Send + std::marker::Sync + 'static {
        /// Opens an account for the caller.
        async fn create_account(
            &self,
            request: tonic::Request<super::CreateAccountRequest>,
        ) -> std::result::Result<tonic::Response<super::CreateAccountResponse>, tonic::Status>;
        /// An account now, or as it was.
        async fn get_account(
            &self,
            request: tonic::Request<super::GetAccountRequest>,
        ) -> std::result::Result<tonic::Response<super::GetAccountResponse>, tonic::Status>;
        /// The caller's accounts, oldest first.
        async fn list_accounts(
            &self,
            request: tonic::Request<super::ListAccountsRequest>,
        ) -> std::result::Result<tonic::Response<super::ListAccountsResponse>, tonic::Status>;
        /// Pays money in. Only the owner does. FAILED_PRECONDITION when the account says no.
        async fn deposit(
            &self,
            request: tonic::Request<super::DepositRequest>,
        ) -> std::result::Result<tonic::Response<super::DepositResponse>, tonic::Status>;
        /// Takes money out. Only the owner does. FAILED_PRECONDITION when the account says no.
        async fn withdraw(
            &self,
            request: tonic::Request<super::WithdrawRequest>,
        ) -> std::result::Result<tonic::Response<super::WithdrawResponse>, tonic::Status>;
        /// What happened to an account, oldest first.
        async fn list_account_events(
            &self,
            request: tonic::Request<super::ListAccountEventsRequest>,
        ) -> std::result::Result<tonic::Response<super::ListAccountEventsResponse>, tonic::Status>;
        /// Many accounts at once. What is not there, or not the caller's, is left out.
        async fn batch_get_accounts(
            &self,
            request: tonic::Request<super::BatchGetAccountsRequest>,
        ) -> std::result::Result<tonic::Response<super::BatchGetAccountsResponse>, tonic::Status>;
        /// The first events of many accounts at once. What is not there, or not the caller's, is left out.
        async fn batch_list_account_events(
            &self,
            request: tonic::Request<super::BatchListAccountEventsRequest>,
        ) -> std::result::Result<
            tonic::Response<super::BatchListAccountEventsResponse>,
            tonic::Status,
        >;
    }
    /// Accounts. Every call asks for a token; what belongs to somebody else is NOT_FOUND.
    #[derive(Debug)]
    pub struct PaymentServiceServer<T> {
        inner: Arc<T>,
        accept_compression_encodings: EnabledCompressionEncodings,
        send_compression_encodings: EnabledCompressionEncodings,
        max_decoding_message_size: Option<usize>,
        max_encoding_message_size: Option<usize>,
    }
    impl<T> PaymentServiceServer<T> {
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
    impl<T, B> tonic::codegen::Service<http::Request<B>> for PaymentServiceServer<T>
    where
        T: PaymentService,
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
                "/shop.payments.v1.PaymentService/CreateAccount" => {
                    #[allow(non_camel_case_types)]
                    struct CreateAccountSvc<T: PaymentService>(pub Arc<T>);
                    impl<T: PaymentService> tonic::server::UnaryService<super::CreateAccountRequest>
                        for CreateAccountSvc<T>
                    {
                        type Response = super::CreateAccountResponse;
                        type Future = BoxFuture<tonic::Response<Self::Response>, tonic::Status>;
                        fn call(
                            &mut self,
                            request: tonic::Request<super::CreateAccountRequest>,
                        ) -> Self::Future {
                            let inner = Arc::clone(&self.0);
                            let fut = async move {
                                <T as PaymentService>::create_account(&inner, request).await
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
                        let method = CreateAccountSvc(inner);
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
                "/shop.payments.v1.PaymentService/GetAccount" => {
                    #[allow(non_camel_case_types)]
                    struct GetAccountSvc<T: PaymentService>(pub Arc<T>);
                    impl<T: PaymentService> tonic::server::UnaryService<super::GetAccountRequest> for GetAccountSvc<T> {
                        type Response = super::GetAccountResponse;
                        type Future = BoxFuture<tonic::Response<Self::Response>, tonic::Status>;
                        fn call(
                            &mut self,
                            request: tonic::Request<super::GetAccountRequest>,
                        ) -> Self::Future {
                            let inner = Arc::clone(&self.0);
                            let fut = async move {
                                <T as PaymentService>::get_account(&inner, request).await
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
                        let method = GetAccountSvc(inner);
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
                "/shop.payments.v1.PaymentService/ListAccounts" => {
                    #[allow(non_camel_case_types)]
                    struct ListAccountsSvc<T: PaymentService>(pub Arc<T>);
                    impl<T: PaymentService> tonic::server::UnaryService<super::ListAccountsRequest>
                        for ListAccountsSvc<T>
                    {
                        type Response = super::ListAccountsResponse;
                        type Future = BoxFuture<tonic::Response<Self::Response>, tonic::Status>;
                        fn call(
                            &mut self,
                            request: tonic::Request<super::ListAccountsRequest>,
                        ) -> Self::Future {
                            let inner = Arc::clone(&self.0);
                            let fut = async move {
                                <T as PaymentService>::list_accounts(&inner, request).await
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
                        let method = ListAccountsSvc(inner);
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
                "/shop.payments.v1.PaymentService/Deposit" => {
                    #[allow(non_camel_case_types)]
                    struct DepositSvc<T: PaymentService>(pub Arc<T>);
                    impl<T: PaymentService> tonic::server::UnaryService<super::DepositRequest> for DepositSvc<T> {
                        type Response = super::DepositResponse;
                        type Future = BoxFuture<tonic::Response<Self::Response>, tonic::Status>;
                        fn call(
                            &mut self,
                            request: tonic::Request<super::DepositRequest>,
                        ) -> Self::Future {
                            let inner = Arc::clone(&self.0);
                            let fut = async move {
                                <T as PaymentService>::deposit(&inner, request).await
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
                        let method = DepositSvc(inner);
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
                "/shop.payments.v1.PaymentService/Withdraw" => {
                    #[allow(non_camel_case_types)]
                    struct WithdrawSvc<T: PaymentService>(pub Arc<T>);
                    impl<T: PaymentService> tonic::server::UnaryService<super::WithdrawRequest> for WithdrawSvc<T> {
                        type Response = super::WithdrawResponse;
                        type Future = BoxFuture<tonic::Response<Self::Response>, tonic::Status>;
                        fn call(
                            &mut self,
                            request: tonic::Request<super::WithdrawRequest>,
                        ) -> Self::Future {
                            let inner = Arc::clone(&self.0);
                            let fut = async move {
                                <T as PaymentService>::withdraw(&inner, request).await
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
                        let method = WithdrawSvc(inner);
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
                "/shop.payments.v1.PaymentService/ListAccountEvents" => {
                    #[allow(non_camel_case_types)]
                    struct ListAccountEventsSvc<T: PaymentService>(pub Arc<T>);
                    impl<T: PaymentService>
                        tonic::server::UnaryService<super::ListAccountEventsRequest>
                        for ListAccountEventsSvc<T>
                    {
                        type Response = super::ListAccountEventsResponse;
                        type Future = BoxFuture<tonic::Response<Self::Response>, tonic::Status>;
                        fn call(
                            &mut self,
                            request: tonic::Request<super::ListAccountEventsRequest>,
                        ) -> Self::Future {
                            let inner = Arc::clone(&self.0);
                            let fut = async move {
                                <T as PaymentService>::list_account_events(&inner, request).await
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
                        let method = ListAccountEventsSvc(inner);
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
                "/shop.payments.v1.PaymentService/BatchGetAccounts" => {
                    #[allow(non_camel_case_types)]
                    struct BatchGetAccountsSvc<T: PaymentService>(pub Arc<T>);
                    impl<T: PaymentService>
                        tonic::server::UnaryService<super::BatchGetAccountsRequest>
                        for BatchGetAccountsSvc<T>
                    {
                        type Response = super::BatchGetAccountsResponse;
                        type Future = BoxFuture<tonic::Response<Self::Response>, tonic::Status>;
                        fn call(
                            &mut self,
                            request: tonic::Request<super::BatchGetAccountsRequest>,
                        ) -> Self::Future {
                            let inner = Arc::clone(&self.0);
                            let fut = async move {
                                <T as PaymentService>::batch_get_accounts(&inner, request).await
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
                        let method = BatchGetAccountsSvc(inner);
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
                "/shop.payments.v1.PaymentService/BatchListAccountEvents" => {
                    #[allow(non_camel_case_types)]
                    struct BatchListAccountEventsSvc<T: PaymentService>(pub Arc<T>);
                    impl<T: PaymentService>
                        tonic::server::UnaryService<super::BatchListAccountEventsRequest>
                        for BatchListAccountEventsSvc<T>
                    {
                        type Response = super::BatchListAccountEventsResponse;
                        type Future = BoxFuture<tonic::Response<Self::Response>, tonic::Status>;
                        fn call(
                            &mut self,
                            request: tonic::Request<super::BatchListAccountEventsRequest>,
                        ) -> Self::Future {
                            let inner = Arc::clone(&self.0);
                            let fut = async move {
                                <T as PaymentService>::batch_list_account_events(&inner, request)
                                    .await
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
                        let method = BatchListAccountEventsSvc(inner);
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
    impl<T> Clone for PaymentServiceServer<T> {
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
    pub const SERVICE_NAME: &str = "shop.payments.v1.PaymentService";
    impl<T> tonic::server::NamedService for PaymentServiceServer<T> {
        const NAME: &'static str = SERVICE_NAME;
    }
}
