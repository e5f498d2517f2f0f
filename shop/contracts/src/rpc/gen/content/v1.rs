//! Package `shop.content.v1`, made by `cargo xtask codegen` of `shop/contracts/proto`.
//! Change that instead: what is written here by hand is lost.

/// Who has written something.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct Author {
    /// The user.
    #[prost(string, tag = "1")]
    pub id: ::prost::alloc::string::String,
    /// Their name; absent while it is not known here, and after they have left.
    #[prost(string, optional, tag = "2")]
    pub name: ::core::option::Option<::prost::alloc::string::String>,
}
/// A post.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct Post {
    /// Its id.
    #[prost(string, tag = "1")]
    pub id: ::prost::alloc::string::String,
    /// Who wrote it.
    #[prost(message, optional, tag = "2")]
    pub author: ::core::option::Option<Author>,
    /// Its title.
    #[prost(string, tag = "3")]
    pub title: ::prost::alloc::string::String,
    /// What it says.
    #[prost(string, tag = "4")]
    pub content: ::prost::alloc::string::String,
    /// Its tags, each once.
    #[prost(string, repeated, tag = "5")]
    pub tags: ::prost::alloc::vec::Vec<::prost::alloc::string::String>,
    /// When it was written.
    #[prost(message, optional, tag = "6")]
    pub created_at: ::core::option::Option<::prost_types::Timestamp>,
    /// When it was last changed.
    #[prost(message, optional, tag = "7")]
    pub updated_at: ::core::option::Option<::prost_types::Timestamp>,
    /// Rises with every change.
    #[prost(uint64, tag = "8")]
    pub version: u64,
}
/// A comment on a post.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct Comment {
    /// Its id.
    #[prost(string, tag = "1")]
    pub id: ::prost::alloc::string::String,
    /// The post.
    #[prost(string, tag = "2")]
    pub post_id: ::prost::alloc::string::String,
    /// Who wrote it.
    #[prost(message, optional, tag = "3")]
    pub author: ::core::option::Option<Author>,
    /// What it says.
    #[prost(string, tag = "4")]
    pub content: ::prost::alloc::string::String,
    /// When it was written.
    #[prost(message, optional, tag = "5")]
    pub created_at: ::core::option::Option<::prost_types::Timestamp>,
    /// When it was last changed.
    #[prost(message, optional, tag = "6")]
    pub updated_at: ::core::option::Option<::prost_types::Timestamp>,
    /// Rises with every change.
    #[prost(uint64, tag = "7")]
    pub version: u64,
}
/// A tag that posts have.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct Tag {
    /// Its name.
    #[prost(string, tag = "1")]
    pub name: ::prost::alloc::string::String,
    /// How many posts have it, from 1 on.
    #[prost(int64, tag = "2")]
    pub posts: i64,
}
/// Tags, so that none at all can be told from not saying.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct TagList {
    /// 0 to 10 tags of 1 to 32 characters: small letters, digits, `-`.
    #[prost(string, repeated, tag = "1")]
    pub names: ::prost::alloc::vec::Vec<::prost::alloc::string::String>,
}
/// A post to be written.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct CreatePostRequest {
    /// Whose it will be: the caller. Empty says the same.
    #[prost(string, tag = "1")]
    pub author_id: ::prost::alloc::string::String,
    /// 1 to 200 characters.
    #[prost(string, tag = "2")]
    pub title: ::prost::alloc::string::String,
    /// 1 to 20000 characters.
    #[prost(string, tag = "3")]
    pub content: ::prost::alloc::string::String,
    /// 0 to 10 tags of 1 to 32 characters: small letters, digits, `-`.
    #[prost(string, repeated, tag = "4")]
    pub tags: ::prost::alloc::vec::Vec<::prost::alloc::string::String>,
    /// A name of the caller's own for this call: repeated with it, the post is written once.
    #[prost(string, tag = "5")]
    pub idempotency_key: ::prost::alloc::string::String,
}
/// The post that was written.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct CreatePostResponse {
    /// The post.
    #[prost(message, optional, tag = "1")]
    pub post: ::core::option::Option<Post>,
    /// Whether an earlier call with the same key has written it.
    #[prost(bool, tag = "2")]
    pub replayed: bool,
}
/// Which post is wanted.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct GetPostRequest {
    /// The post.
    #[prost(string, tag = "1")]
    pub id: ::prost::alloc::string::String,
}
/// The post that was wanted.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct GetPostResponse {
    /// The post.
    #[prost(message, optional, tag = "1")]
    pub post: ::core::option::Option<Post>,
}
/// What of a post changes. What is not set stays.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct UpdatePostRequest {
    /// The post.
    #[prost(string, tag = "1")]
    pub id: ::prost::alloc::string::String,
    /// A new title: 1 to 200 characters.
    #[prost(string, optional, tag = "2")]
    pub title: ::core::option::Option<::prost::alloc::string::String>,
    /// New content: 1 to 20000 characters.
    #[prost(string, optional, tag = "3")]
    pub content: ::core::option::Option<::prost::alloc::string::String>,
    /// Other tags; set and empty takes all away.
    #[prost(message, optional, tag = "4")]
    pub tags: ::core::option::Option<TagList>,
    /// Only if the post is still at this version.
    #[prost(uint64, optional, tag = "5")]
    pub expected_version: ::core::option::Option<u64>,
}
/// What the post is now.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct UpdatePostResponse {
    /// The post.
    #[prost(message, optional, tag = "1")]
    pub post: ::core::option::Option<Post>,
}
/// Which post is removed.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct DeletePostRequest {
    /// The post.
    #[prost(string, tag = "1")]
    pub id: ::prost::alloc::string::String,
    /// Only if the post is still at this version.
    #[prost(uint64, optional, tag = "2")]
    pub expected_version: ::core::option::Option<u64>,
}
/// The post is gone.
#[derive(Clone, Copy, PartialEq, Eq, Hash, ::prost::Message)]
pub struct DeletePostResponse {}
/// Which page of an author's posts is wanted.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct ListPostsRequest {
    /// The author.
    #[prost(string, tag = "1")]
    pub author_id: ::prost::alloc::string::String,
    /// Posts on the page: 20 by default, 100 at most; more is taken as 100, less than 0 is refused.
    #[prost(int32, tag = "2")]
    pub page_size: i32,
    /// Where the page begins: `next_page_token` of the page before; empty for the first.
    #[prost(string, tag = "3")]
    pub page_token: ::prost::alloc::string::String,
}
/// A page of posts.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct ListPostsResponse {
    /// The posts.
    #[prost(message, repeated, tag = "1")]
    pub posts: ::prost::alloc::vec::Vec<Post>,
    /// Where the next page begins; empty on the last one.
    #[prost(string, tag = "2")]
    pub next_page_token: ::prost::alloc::string::String,
}
/// Which page of the tags is wanted.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct ListTagsRequest {
    /// Tags on the page: 20 by default, 100 at most; more is taken as 100, less than 0 is refused.
    #[prost(int32, tag = "1")]
    pub page_size: i32,
    /// Where the page begins: `next_page_token` of the page before; empty for the first.
    #[prost(string, tag = "2")]
    pub page_token: ::prost::alloc::string::String,
}
/// A page of tags.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct ListTagsResponse {
    /// The tags.
    #[prost(message, repeated, tag = "1")]
    pub tags: ::prost::alloc::vec::Vec<Tag>,
    /// Where the next page begins; empty on the last one.
    #[prost(string, tag = "2")]
    pub next_page_token: ::prost::alloc::string::String,
}
/// A comment to be written.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct CreateCommentRequest {
    /// The post.
    #[prost(string, tag = "1")]
    pub post_id: ::prost::alloc::string::String,
    /// 1 to 5000 characters.
    #[prost(string, tag = "2")]
    pub content: ::prost::alloc::string::String,
    /// A name of the caller's own for this call: repeated with it, the comment is written once.
    #[prost(string, tag = "3")]
    pub idempotency_key: ::prost::alloc::string::String,
}
/// The comment that was written.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct CreateCommentResponse {
    /// The comment.
    #[prost(message, optional, tag = "1")]
    pub comment: ::core::option::Option<Comment>,
    /// Whether an earlier call with the same key has written it.
    #[prost(bool, tag = "2")]
    pub replayed: bool,
}
/// Which comment is wanted.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct GetCommentRequest {
    /// The post.
    #[prost(string, tag = "1")]
    pub post_id: ::prost::alloc::string::String,
    /// The comment.
    #[prost(string, tag = "2")]
    pub id: ::prost::alloc::string::String,
}
/// The comment that was wanted.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct GetCommentResponse {
    /// The comment.
    #[prost(message, optional, tag = "1")]
    pub comment: ::core::option::Option<Comment>,
}
/// What a comment will say.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct UpdateCommentRequest {
    /// The post.
    #[prost(string, tag = "1")]
    pub post_id: ::prost::alloc::string::String,
    /// The comment.
    #[prost(string, tag = "2")]
    pub id: ::prost::alloc::string::String,
    /// 1 to 5000 characters.
    #[prost(string, tag = "3")]
    pub content: ::prost::alloc::string::String,
    /// Only if the comment is still at this version.
    #[prost(uint64, optional, tag = "4")]
    pub expected_version: ::core::option::Option<u64>,
}
/// What the comment is now.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct UpdateCommentResponse {
    /// The comment.
    #[prost(message, optional, tag = "1")]
    pub comment: ::core::option::Option<Comment>,
}
/// Which comment is removed.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct DeleteCommentRequest {
    /// The post.
    #[prost(string, tag = "1")]
    pub post_id: ::prost::alloc::string::String,
    /// The comment.
    #[prost(string, tag = "2")]
    pub id: ::prost::alloc::string::String,
    /// Only if the comment is still at this version.
    #[prost(uint64, optional, tag = "3")]
    pub expected_version: ::core::option::Option<u64>,
}
/// The comment is gone.
#[derive(Clone, Copy, PartialEq, Eq, Hash, ::prost::Message)]
pub struct DeleteCommentResponse {}
/// Which page of a post's comments is wanted.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct ListCommentsRequest {
    /// The post.
    #[prost(string, tag = "1")]
    pub post_id: ::prost::alloc::string::String,
    /// Comments on the page: 20 by default, 100 at most; more is taken as 100, less than 0 is refused.
    #[prost(int32, tag = "2")]
    pub page_size: i32,
    /// Where the page begins: `next_page_token` of the page before; empty for the first.
    #[prost(string, tag = "3")]
    pub page_token: ::prost::alloc::string::String,
}
/// A page of comments.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct ListCommentsResponse {
    /// The comments.
    #[prost(message, repeated, tag = "1")]
    pub comments: ::prost::alloc::vec::Vec<Comment>,
    /// Where the next page begins; empty on the last one.
    #[prost(string, tag = "2")]
    pub next_page_token: ::prost::alloc::string::String,
}
/// Which posts are wanted.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct BatchGetPostsRequest {
    /// At most 1000 ids.
    #[prost(string, repeated, tag = "1")]
    pub ids: ::prost::alloc::vec::Vec<::prost::alloc::string::String>,
}
/// Those of the posts that are there.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct BatchGetPostsResponse {
    /// In the order of the ids that were found, each once.
    #[prost(message, repeated, tag = "1")]
    pub posts: ::prost::alloc::vec::Vec<Post>,
}
/// Whose first posts are wanted.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct BatchListPostsRequest {
    /// At most 1000 authors.
    #[prost(string, repeated, tag = "1")]
    pub author_ids: ::prost::alloc::vec::Vec<::prost::alloc::string::String>,
    /// Posts of each: 20 by default, 100 at most.
    #[prost(int32, tag = "2")]
    pub limit: i32,
}
/// The first posts of each author.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct BatchListPostsResponse {
    /// One entry for each author that was asked for, in that order, each once.
    #[prost(message, repeated, tag = "1")]
    pub authors: ::prost::alloc::vec::Vec<PostsOfAuthor>,
}
/// The newest posts of one author.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct PostsOfAuthor {
    /// The author.
    #[prost(string, tag = "1")]
    pub author_id: ::prost::alloc::string::String,
    /// Newest first.
    #[prost(message, repeated, tag = "2")]
    pub posts: ::prost::alloc::vec::Vec<Post>,
    /// Where the next page begins, for ListPosts; empty when there is none.
    #[prost(string, tag = "3")]
    pub next_page_token: ::prost::alloc::string::String,
}
/// Whose first comments are wanted.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct BatchListCommentsRequest {
    /// At most 1000 posts.
    #[prost(string, repeated, tag = "1")]
    pub post_ids: ::prost::alloc::vec::Vec<::prost::alloc::string::String>,
    /// Comments of each: 20 by default, 100 at most.
    #[prost(int32, tag = "2")]
    pub limit: i32,
}
/// The first comments of each post.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct BatchListCommentsResponse {
    /// One entry for each post that was asked for, in that order, each once.
    #[prost(message, repeated, tag = "1")]
    pub posts: ::prost::alloc::vec::Vec<CommentsOfPost>,
}
/// The oldest comments of one post.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct CommentsOfPost {
    /// The post.
    #[prost(string, tag = "1")]
    pub post_id: ::prost::alloc::string::String,
    /// Oldest first.
    #[prost(message, repeated, tag = "2")]
    pub comments: ::prost::alloc::vec::Vec<Comment>,
    /// Where the next page begins, for ListComments; empty when there is none.
    #[prost(string, tag = "3")]
    pub next_page_token: ::prost::alloc::string::String,
}
/// Generated client implementations.
pub mod content_service_client {
    #![allow(
        unused_variables,
        dead_code,
        missing_docs,
        clippy::wildcard_imports,
        clippy::let_unit_value
    )]
    use tonic::codegen::http::Uri;
    use tonic::codegen::*;
    /// Posts, tags and comments. Every call asks for a token; everybody who has one reads everything, and
    /// only its author (or the operator) changes what was written.
    #[derive(Debug, Clone)]
    pub struct ContentServiceClient<T> {
        inner: tonic::client::Grpc<T>,
    }
    impl<T> ContentServiceClient<T>
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
        ) -> ContentServiceClient<InterceptedService<T, F>>
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
            ContentServiceClient::new(InterceptedService::new(inner, interceptor))
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
        /// Writes a post.
        pub async fn create_post(
            &mut self,
            request: impl tonic::IntoRequest<super::CreatePostRequest>,
        ) -> std::result::Result<tonic::Response<super::CreatePostResponse>, tonic::Status>
        {
            self.inner.ready().await.map_err(|e| {
                tonic::Status::unknown(format!("Service was not ready: {}", e.into()))
            })?;
            let codec = tonic_prost::ProstCodec::default();
            let path =
                http::uri::PathAndQuery::from_static("/shop.content.v1.ContentService/CreatePost");
            let mut req = request.into_request();
            req.extensions_mut()
                .insert(GrpcMethod::new("shop.content.v1.ContentService", "CreatePost"));
            self.inner.unary(req, path, codec).await
        }
        /// One post.
        pub async fn get_post(
            &mut self,
            request: impl tonic::IntoRequest<super::GetPostRequest>,
        ) -> std::result::Result<tonic::Response<super::GetPostResponse>, tonic::Status> {
            self.inner.ready().await.map_err(|e| {
                tonic::Status::unknown(format!("Service was not ready: {}", e.into()))
            })?;
            let codec = tonic_prost::ProstCodec::default();
            let path =
                http::uri::PathAndQuery::from_static("/shop.content.v1.ContentService/GetPost");
            let mut req = request.into_request();
            req.extensions_mut()
                .insert(GrpcMethod::new("shop.content.v1.ContentService", "GetPost"));
            self.inner.unary(req, path, codec).await
        }
        /// Changes what is given and leaves the rest. ABORTED when the post is at another version.
        pub async fn update_post(
            &mut self,
            request: impl tonic::IntoRequest<super::UpdatePostRequest>,
        ) -> std::result::Result<tonic::Response<super::UpdatePostResponse>, tonic::Status>
        {
            self.inner.ready().await.map_err(|e| {
                tonic::Status::unknown(format!("Service was not ready: {}", e.into()))
            })?;
            let codec = tonic_prost::ProstCodec::default();
            let path =
                http::uri::PathAndQuery::from_static("/shop.content.v1.ContentService/UpdatePost");
            let mut req = request.into_request();
            req.extensions_mut()
                .insert(GrpcMethod::new("shop.content.v1.ContentService", "UpdatePost"));
            self.inner.unary(req, path, codec).await
        }
        /// Removes a post with its comments.
        pub async fn delete_post(
            &mut self,
            request: impl tonic::IntoRequest<super::DeletePostRequest>,
        ) -> std::result::Result<tonic::Response<super::DeletePostResponse>, tonic::Status>
        {
            self.inner.ready().await.map_err(|e| {
                tonic::Status::unknown(format!("Service was not ready: {}", e.into()))
            })?;
            let codec = tonic_prost::ProstCodec::default();
            let path =
                http::uri::PathAndQuery::from_static("/shop.content.v1.ContentService/DeletePost");
            let mut req = request.into_request();
            req.extensions_mut()
                .insert(GrpcMethod::new("shop.content.v1.ContentService", "DeletePost"));
            self.inner.unary(req, path, codec).await
        }
        /// The posts of one author, newest first.
        pub async fn list_posts(
            &mut self,
            request: impl tonic::IntoRequest<super::ListPostsRequest>,
        ) -> std::result::Result<tonic::Response<super::ListPostsResponse>, tonic::Status> {
            self.inner.ready().await.map_err(|e| {
                tonic::Status::unknown(format!("Service was not ready: {}", e.into()))
            })?;
            let codec = tonic_prost::ProstCodec::default();
            let path =
                http::uri::PathAndQuery::from_static("/shop.content.v1.ContentService/ListPosts");
            let mut req = request.into_request();
            req.extensions_mut()
                .insert(GrpcMethod::new("shop.content.v1.ContentService", "ListPosts"));
            self.inner.unary(req, path, codec).await
        }
        /// The tags that posts have, by name.
        pub async fn list_tags(
            &mut self,
            request: impl tonic::IntoRequest<super::ListTagsRequest>,
        ) -> std::result::Result<tonic::Response<super::ListTagsResponse>, tonic::Status> {
            self.inner.ready().await.map_err(|e| {
                tonic::Status::unknown(format!("Service was not ready: {}", e.into()))
            })?;
            let codec = tonic_prost::ProstCodec::default();
            let path =
                http::uri::PathAndQuery::from_static("/shop.content.v1.ContentService/ListTags");
            let mut req = request.into_request();
            req.extensions_mut()
                .insert(GrpcMethod::new("shop.content.v1.ContentService", "ListTags"));
            self.inner.unary(req, path, codec).await
        }
        /// Writes a comment.
        pub async fn create_comment(
            &mut self,
            request: impl tonic::IntoRequest<super::CreateCommentRequest>,
        ) -> std::result::Result<tonic::Response<super::CreateCommentResponse>, tonic::Status>
        {
            self.inner.ready().await.map_err(|e| {
                tonic::Status::unknown(format!("Service was not ready: {}", e.into()))
            })?;
            let codec = tonic_prost::ProstCodec::default();
            let path = http::uri::PathAndQuery::from_static(
                "/shop.content.v1.ContentService/CreateComment",
            );
            let mut req = request.into_request();
            req.extensions_mut()
                .insert(GrpcMethod::new("shop.content.v1.ContentService", "CreateComment"));
            self.inner.unary(req, path, codec).await
        }
        /// One comment.
        pub async fn get_comment(
            &mut self,
            request: impl tonic::IntoRequest<super::GetCommentRequest>,
        ) -> std::result::Result<tonic::Response<super::GetCommentResponse>, tonic::Status>
        {
            self.inner.ready().await.map_err(|e| {
                tonic::Status::unknown(format!("Service was not ready: {}", e.into()))
            })?;
            let codec = tonic_prost::ProstCodec::default();
            let path =
                http::uri::PathAndQuery::from_static("/shop.content.v1.ContentService/GetComment");
            let mut req = request.into_request();
            req.extensions_mut()
                .insert(GrpcMethod::new("shop.content.v1.ContentService", "GetComment"));
            self.inner.unary(req, path, codec).await
        }
        /// Changes a comment. ABORTED when the comment is at another version.
        pub async fn update_comment(
            &mut self,
            request: impl tonic::IntoRequest<super::UpdateCommentRequest>,
        ) -> std::result::Result<tonic::Response<super::UpdateCommentResponse>, tonic::Status>
        {
            self.inner.ready().await.map_err(|e| {
                tonic::Status::unknown(format!("Service was not ready: {}", e.into()))
            })?;
            let codec = tonic_prost::ProstCodec::default();
            let path = http::uri::PathAndQuery::from_static(
                "/shop.content.v1.ContentService/UpdateComment",
            );
            let mut req = request.into_request();
            req.extensions_mut()
                .insert(GrpcMethod::new("shop.content.v1.ContentService", "UpdateComment"));
            self.inner.unary(req, path, codec).await
        }
        /// Removes a comment.
        pub async fn delete_comment(
            &mut self,
            request: impl tonic::IntoRequest<super::DeleteCommentRequest>,
        ) -> std::result::Result<tonic::Response<super::DeleteCommentResponse>, tonic::Status>
        {
            self.inner.ready().await.map_err(|e| {
                tonic::Status::unknown(format!("Service was not ready: {}", e.into()))
            })?;
            let codec = tonic_prost::ProstCodec::default();
            let path = http::uri::PathAndQuery::from_static(
                "/shop.content.v1.ContentService/DeleteComment",
            );
            let mut req = request.into_request();
            req.extensions_mut()
                .insert(GrpcMethod::new("shop.content.v1.ContentService", "DeleteComment"));
            self.inner.unary(req, path, codec).await
        }
        /// The comments of one post, oldest first.
        pub async fn list_comments(
            &mut self,
            request: impl tonic::IntoRequest<super::ListCommentsRequest>,
        ) -> std::result::Result<tonic::Response<super::ListCommentsResponse>, tonic::Status>
        {
            self.inner.ready().await.map_err(|e| {
                tonic::Status::unknown(format!("Service was not ready: {}", e.into()))
            })?;
            let codec = tonic_prost::ProstCodec::default();
            let path = http::uri::PathAndQuery::from_static(
                "/shop.content.v1.ContentService/ListComments",
            );
            let mut req = request.into_request();
            req.extensions_mut()
                .insert(GrpcMethod::new("shop.content.v1.ContentService", "ListComments"));
            self.inner.unary(req, path, codec).await
        }
        /// Many posts at once. What is not there is left out.
        pub async fn batch_get_posts(
            &mut self,
            request: impl tonic::IntoRequest<super::BatchGetPostsRequest>,
        ) -> std::result::Result<tonic::Response<super::BatchGetPostsResponse>, tonic::Status>
        {
            self.inner.ready().await.map_err(|e| {
                tonic::Status::unknown(format!("Service was not ready: {}", e.into()))
            })?;
            let codec = tonic_prost::ProstCodec::default();
            let path = http::uri::PathAndQuery::from_static(
                "/shop.content.v1.ContentService/BatchGetPosts",
            );
            let mut req = request.into_request();
            req.extensions_mut()
                .insert(GrpcMethod::new("shop.content.v1.ContentService", "BatchGetPosts"));
            self.inner.unary(req, path, codec).await
        }
        /// The first posts of many authors at once.
        pub async fn batch_list_posts(
            &mut self,
            request: impl tonic::IntoRequest<super::BatchListPostsRequest>,
        ) -> std::result::Result<tonic::Response<super::BatchListPostsResponse>, tonic::Status>
        {
            self.inner.ready().await.map_err(|e| {
                tonic::Status::unknown(format!("Service was not ready: {}", e.into()))
            })?;
            let codec = tonic_prost::ProstCodec::default();
            let path = http::uri::PathAndQuery::from_static(
                "/shop.content.v1.ContentService/BatchListPosts",
            );
            let mut req = request.into_request();
            req.extensions_mut()
                .insert(GrpcMethod::new("shop.content.v1.ContentService", "BatchListPosts"));
            self.inner.unary(req, path, codec).await
        }
        /// The first comments of many posts at once.
        pub async fn batch_list_comments(
            &mut self,
            request: impl tonic::IntoRequest<super::BatchListCommentsRequest>,
        ) -> std::result::Result<tonic::Response<super::BatchListCommentsResponse>, tonic::Status>
        {
            self.inner.ready().await.map_err(|e| {
                tonic::Status::unknown(format!("Service was not ready: {}", e.into()))
            })?;
            let codec = tonic_prost::ProstCodec::default();
            let path = http::uri::PathAndQuery::from_static(
                "/shop.content.v1.ContentService/BatchListComments",
            );
            let mut req = request.into_request();
            req.extensions_mut()
                .insert(GrpcMethod::new("shop.content.v1.ContentService", "BatchListComments"));
            self.inner.unary(req, path, codec).await
        }
    }
}
/// Generated server implementations.
pub mod content_service_server {
    #![allow(
        unused_variables,
        dead_code,
        missing_docs,
        clippy::wildcard_imports,
        clippy::let_unit_value
    )]
    use tonic::codegen::*;
    /// Generated trait containing gRPC methods that should be implemented for use with ContentServiceServer.
    #[async_trait]
    pub trait ContentService: std::marker::Send + std::marker::Sync + 'static {
        /// Writes a post.
        async fn create_post(
            &self,
            request: tonic::Request<super::CreatePostRequest>,
        ) -> std::result::Result<tonic::Response<super::CreatePostResponse>, tonic::Status>;
        /// One post.
        async fn get_post(
            &self,
            request: tonic::Request<super::GetPostRequest>,
        ) -> std::result::Result<tonic::Response<super::GetPostResponse>, tonic::Status>;
        /// Changes what is given and leaves the rest. ABORTED when the post is at another version.
        async fn update_post(
            &self,
            request: tonic::Request<super::UpdatePostRequest>,
        ) -> std::result::Result<tonic::Response<super::UpdatePostResponse>, tonic::Status>;
        /// Removes a post with its comments.
        async fn delete_post(
            &self,
            request: tonic::Request<super::DeletePostRequest>,
        ) -> std::result::Result<tonic::Response<super::DeletePostResponse>, tonic::Status>;
        /// The posts of one author, newest first.
        async fn list_posts(
            &self,
            request: tonic::Request<super::ListPostsRequest>,
        ) -> std::result::Result<tonic::Response<super::ListPostsResponse>, tonic::Status>;
        /// The tags that posts have, by name.
        async fn list_tags(
            &self,
            request: tonic::Request<super::ListTagsRequest>,
        ) -> std::result::Result<tonic::Response<super::ListTagsResponse>, tonic::Status>;
        /// Writes a comment.
        async fn create_comment(
            &self,
            request: tonic::Request<super::CreateCommentRequest>,
        ) -> std::result::Result<tonic::Response<super::CreateCommentResponse>, tonic::Status>;
        /// One comment.
        async fn get_comment(
            &self,
            request: tonic::Request<super::GetCommentRequest>,
        ) -> std::result::Result<tonic::Response<super::GetCommentResponse>, tonic::Status>;
        /// Changes a comment. ABORTED when the comment is at another version.
        async fn update_comment(
            &self,
            request: tonic::Request<super::UpdateCommentRequest>,
        ) -> std::result::Result<tonic::Response<super::UpdateCommentResponse>, tonic::Status>;
        /// Removes a comment.
        async fn delete_comment(
            &self,
            request: tonic::Request<super::DeleteCommentRequest>,
        ) -> std::result::Result<tonic::Response<super::DeleteCommentResponse>, tonic::Status>;
        /// The comments of one post, oldest first.
        async fn list_comments(
            &self,
            request: tonic::Request<super::ListCommentsRequest>,
        ) -> std::result::Result<tonic::Response<super::ListCommentsResponse>, tonic::Status>;
        /// Many posts at once. What is not there is left out.
        async fn batch_get_posts(
            &self,
            request: tonic::Request<super::BatchGetPostsRequest>,
        ) -> std::result::Result<tonic::Response<super::BatchGetPostsResponse>, tonic::Status>;
        /// The first posts of many authors at once.
        async fn batch_list_posts(
            &self,
            request: tonic::Request<super::BatchListPostsRequest>,
        ) -> std::result::Result<tonic::Response<super::BatchListPostsResponse>, tonic::Status>;
        /// The first comments of many posts at once.
        async fn batch_list_comments(
            &self,
            request: tonic::Request<super::BatchListCommentsRequest>,
        ) -> std::result::Result<tonic::Response<super::BatchListCommentsResponse>, tonic::Status>;
    }
    /// Posts, tags and comments. Every call asks for a token; everybody who has one reads everything, and
    /// only its author (or the operator) changes what was written.
    #[derive(Debug)]
    pub struct ContentServiceServer<T> {
        inner: Arc<T>,
        accept_compression_encodings: EnabledCompressionEncodings,
        send_compression_encodings: EnabledCompressionEncodings,
        max_decoding_message_size: Option<usize>,
        max_encoding_message_size: Option<usize>,
    }
    impl<T> ContentServiceServer<T> {
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
    impl<T, B> tonic::codegen::Service<http::Request<B>> for ContentServiceServer<T>
    where
        T: ContentService,
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
                "/shop.content.v1.ContentService/CreatePost" => {
                    #[allow(non_camel_case_types)]
                    struct CreatePostSvc<T: ContentService>(pub Arc<T>);
                    impl<T: ContentService> tonic::server::UnaryService<super::CreatePostRequest> for CreatePostSvc<T> {
                        type Response = super::CreatePostResponse;
                        type Future = BoxFuture<tonic::Response<Self::Response>, tonic::Status>;
                        fn call(
                            &mut self,
                            request: tonic::Request<super::CreatePostRequest>,
                        ) -> Self::Future {
                            let inner = Arc::clone(&self.0);
                            let fut = async move {
                                <T as ContentService>::create_post(&inner, request).await
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
                        let method = CreatePostSvc(inner);
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
                "/shop.content.v1.ContentService/GetPost" => {
                    #[allow(non_camel_case_types)]
                    struct GetPostSvc<T: ContentService>(pub Arc<T>);
                    impl<T: ContentService> tonic::server::UnaryService<super::GetPostRequest> for GetPostSvc<T> {
                        type Response = super::GetPostResponse;
                        type Future = BoxFuture<tonic::Response<Self::Response>, tonic::Status>;
                        fn call(
                            &mut self,
                            request: tonic::Request<super::GetPostRequest>,
                        ) -> Self::Future {
                            let inner = Arc::clone(&self.0);
                            let fut = async move {
                                <T as ContentService>::get_post(&inner, request).await
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
                        let method = GetPostSvc(inner);
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
                "/shop.content.v1.ContentService/UpdatePost" => {
                    #[allow(non_camel_case_types)]
                    struct UpdatePostSvc<T: ContentService>(pub Arc<T>);
                    impl<T: ContentService> tonic::server::UnaryService<super::UpdatePostRequest> for UpdatePostSvc<T> {
                        type Response = super::UpdatePostResponse;
                        type Future = BoxFuture<tonic::Response<Self::Response>, tonic::Status>;
                        fn call(
                            &mut self,
                            request: tonic::Request<super::UpdatePostRequest>,
                        ) -> Self::Future {
                            let inner = Arc::clone(&self.0);
                            let fut = async move {
                                <T as ContentService>::update_post(&inner, request).await
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
                        let method = UpdatePostSvc(inner);
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
                "/shop.content.v1.ContentService/DeletePost" => {
                    #[allow(non_camel_case_types)]
                    struct DeletePostSvc<T: ContentService>(pub Arc<T>);
                    impl<T: ContentService> tonic::server::UnaryService<super::DeletePostRequest> for DeletePostSvc<T> {
                        type Response = super::DeletePostResponse;
                        type Future = BoxFuture<tonic::Response<Self::Response>, tonic::Status>;
                        fn call(
                            &mut self,
                            request: tonic::Request<super::DeletePostRequest>,
                        ) -> Self::Future {
                            let inner = Arc::clone(&self.0);
                            let fut = async move {
                                <T as ContentService>::delete_post(&inner, request).await
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
                        let method = DeletePostSvc(inner);
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
                "/shop.content.v1.ContentService/ListPosts" => {
                    #[allow(non_camel_case_types)]
                    struct ListPostsSvc<T: ContentService>(pub Arc<T>);
                    impl<T: ContentService> tonic::server::UnaryService<super::ListPostsRequest> for ListPostsSvc<T> {
                        type Response = super::ListPostsResponse;
                        type Future = BoxFuture<tonic::Response<Self::Response>, tonic::Status>;
                        fn call(
                            &mut self,
                            request: tonic::Request<super::ListPostsRequest>,
                        ) -> Self::Future {
                            let inner = Arc::clone(&self.0);
                            let fut = async move {
                                <T as ContentService>::list_posts(&inner, request).await
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
                        let method = ListPostsSvc(inner);
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
                "/shop.content.v1.ContentService/ListTags" => {
                    #[allow(non_camel_case_types)]
                    struct ListTagsSvc<T: ContentService>(pub Arc<T>);
                    impl<T: ContentService> tonic::server::UnaryService<super::ListTagsRequest> for ListTagsSvc<T> {
                        type Response = super::ListTagsResponse;
                        type Future = BoxFuture<tonic::Response<Self::Response>, tonic::Status>;
                        fn call(
                            &mut self,
                            request: tonic::Request<super::ListTagsRequest>,
                        ) -> Self::Future {
                            let inner = Arc::clone(&self.0);
                            let fut = async move {
                                <T as ContentService>::list_tags(&inner, request).await
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
                        let method = ListTagsSvc(inner);
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
                "/shop.content.v1.ContentService/CreateComment" => {
                    #[allow(non_camel_case_types)]
                    struct CreateCommentSvc<T: ContentService>(pub Arc<T>);
                    impl<T: ContentService> tonic::server::UnaryService<super::CreateCommentRequest>
                        for CreateCommentSvc<T>
                    {
                        type Response = super::CreateCommentResponse;
                        type Future = BoxFuture<tonic::Response<Self::Response>, tonic::Status>;
                        fn call(
                            &mut self,
                            request: tonic::Request<super::CreateCommentRequest>,
                        ) -> Self::Future {
                            let inner = Arc::clone(&self.0);
                            let fut = async move {
                                <T as ContentService>::create_comment(&inner, request).await
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
                        let method = CreateCommentSvc(inner);
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
                "/shop.content.v1.ContentService/GetComment" => {
                    #[allow(non_camel_case_types)]
                    struct GetCommentSvc<T: ContentService>(pub Arc<T>);
                    impl<T: ContentService> tonic::server::UnaryService<super::GetCommentRequest> for GetCommentSvc<T> {
                        type Response = super::GetCommentResponse;
                        type Future = BoxFuture<tonic::Response<Self::Response>, tonic::Status>;
                        fn call(
                            &mut self,
                            request: tonic::Request<super::GetCommentRequest>,
                        ) -> Self::Future {
                            let inner = Arc::clone(&self.0);
                            let fut = async move {
                                <T as ContentService>::get_comment(&inner, request).await
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
                        let method = GetCommentSvc(inner);
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
                "/shop.content.v1.ContentService/UpdateComment" => {
                    #[allow(non_camel_case_types)]
                    struct UpdateCommentSvc<T: ContentService>(pub Arc<T>);
                    impl<T: ContentService> tonic::server::UnaryService<super::UpdateCommentRequest>
                        for UpdateCommentSvc<T>
                    {
                        type Response = super::UpdateCommentResponse;
                        type Future = BoxFuture<tonic::Response<Self::Response>, tonic::Status>;
                        fn call(
                            &mut self,
                            request: tonic::Request<super::UpdateCommentRequest>,
                        ) -> Self::Future {
                            let inner = Arc::clone(&self.0);
                            let fut = async move {
                                <T as ContentService>::update_comment(&inner, request).await
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
                        let method = UpdateCommentSvc(inner);
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
                "/shop.content.v1.ContentService/DeleteComment" => {
                    #[allow(non_camel_case_types)]
                    struct DeleteCommentSvc<T: ContentService>(pub Arc<T>);
                    impl<T: ContentService> tonic::server::UnaryService<super::DeleteCommentRequest>
                        for DeleteCommentSvc<T>
                    {
                        type Response = super::DeleteCommentResponse;
                        type Future = BoxFuture<tonic::Response<Self::Response>, tonic::Status>;
                        fn call(
                            &mut self,
                            request: tonic::Request<super::DeleteCommentRequest>,
                        ) -> Self::Future {
                            let inner = Arc::clone(&self.0);
                            let fut = async move {
                                <T as ContentService>::delete_comment(&inner, request).await
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
                        let method = DeleteCommentSvc(inner);
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
                "/shop.content.v1.ContentService/ListComments" => {
                    #[allow(non_camel_case_types)]
                    struct ListCommentsSvc<T: ContentService>(pub Arc<T>);
                    impl<T: ContentService> tonic::server::UnaryService<super::ListCommentsRequest>
                        for ListCommentsSvc<T>
                    {
                        type Response = super::ListCommentsResponse;
                        type Future = BoxFuture<tonic::Response<Self::Response>, tonic::Status>;
                        fn call(
                            &mut self,
                            request: tonic::Request<super::ListCommentsRequest>,
                        ) -> Self::Future {
                            let inner = Arc::clone(&self.0);
                            let fut = async move {
                                <T as ContentService>::list_comments(&inner, request).await
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
                        let method = ListCommentsSvc(inner);
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
                "/shop.content.v1.ContentService/BatchGetPosts" => {
                    #[allow(non_camel_case_types)]
                    struct BatchGetPostsSvc<T: ContentService>(pub Arc<T>);
                    impl<T: ContentService> tonic::server::UnaryService<super::BatchGetPostsRequest>
                        for BatchGetPostsSvc<T>
                    {
                        type Response = super::BatchGetPostsResponse;
                        type Future = BoxFuture<tonic::Response<Self::Response>, tonic::Status>;
                        fn call(
                            &mut self,
                            request: tonic::Request<super::BatchGetPostsRequest>,
                        ) -> Self::Future {
                            let inner = Arc::clone(&self.0);
                            let fut = async move {
                                <T as ContentService>::batch_get_posts(&inner, request).await
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
                        let method = BatchGetPostsSvc(inner);
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
                "/shop.content.v1.ContentService/BatchListPosts" => {
                    #[allow(non_camel_case_types)]
                    struct BatchListPostsSvc<T: ContentService>(pub Arc<T>);
                    impl<T: ContentService>
                        tonic::server::UnaryService<super::BatchListPostsRequest>
                        for BatchListPostsSvc<T>
                    {
                        type Response = super::BatchListPostsResponse;
                        type Future = BoxFuture<tonic::Response<Self::Response>, tonic::Status>;
                        fn call(
                            &mut self,
                            request: tonic::Request<super::BatchListPostsRequest>,
                        ) -> Self::Future {
                            let inner = Arc::clone(&self.0);
                            let fut = async move {
                                <T as ContentService>::batch_list_posts(&inner, request).await
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
                        let method = BatchListPostsSvc(inner);
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
                "/shop.content.v1.ContentService/BatchListComments" => {
                    #[allow(non_camel_case_types)]
                    struct BatchListCommentsSvc<T: ContentService>(pub Arc<T>);
                    impl<T: ContentService>
                        tonic::server::UnaryService<super::BatchListCommentsRequest>
                        for BatchListCommentsSvc<T>
                    {
                        type Response = super::BatchListCommentsResponse;
                        type Future = BoxFuture<tonic::Response<Self::Response>, tonic::Status>;
                        fn call(
                            &mut self,
                            request: tonic::Request<super::BatchListCommentsRequest>,
                        ) -> Self::Future {
                            let inner = Arc::clone(&self.0);
                            let fut = async move {
                                <T as ContentService>::batch_list_comments(&inner, request).await
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
                        let method = BatchListCommentsSvc(inner);
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
    impl<T> Clone for ContentServiceServer<T> {
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
    pub const SERVICE_NAME: &str = "shop.content.v1.ContentService";
    impl<T> tonic::server::NamedService for ContentServiceServer<T> {
        const NAME: &'static str = SERVICE_NAME;
    }
}
