"""Somebody else's gRPC client at the shop's public port: what the protocol promises, and what the shop does.

Run by `cargo xtask test` with Google's own Python library, which shares no code with the server:

    OPERATOR_TOKEN=… python stranger.py HOST:PORT FOLDER_OF_PROTOS [WORDS OF TESTS]

Every function whose name begins with `p` and a number is one test, named after the rule that it holds.
"""

import base64
import http.client
import importlib
import json
import os
import struct
import sys
import tempfile
import threading
import time
import traceback
import uuid

import grpc
from google.protobuf import descriptor_pool
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)
from grpc_status import rpc_status
from grpc_tools import protoc

SERVICES = {
    "shop.content.v1.ContentService",
    "shop.inventory.v1.InventoryService",
    "shop.orders.v1.OrderService",
    "shop.payments.v1.PaymentService",
    "shop.shipping.v1.ShippingService",
    "shop.users.v1.UserService",
}
PATIENCE = 20


class Shop:
    """The shop as one customer sees it, and as its operator does."""

    def __init__(self, address, operator, protos):
        self.address = address
        self.channel = grpc.insecure_channel(address)
        self.generated = generated(protos)
        self.operator = (("authorization", f"Bearer {operator}"),)
        for name in ["users", "content", "orders", "payments", "inventory", "shipping"]:
            module = importlib.import_module(f"shop.{name}.v1.{name}_pb2")
            stubs = importlib.import_module(f"shop.{name}.v1.{name}_pb2_grpc")
            setattr(self, f"{name}_pb2", module)
            stub = next(
                getattr(stubs, it) for it in dir(stubs) if it.endswith("ServiceStub")
            )
            setattr(self, name, stub(self.channel))
        self.common_pb2 = importlib.import_module("shop.common.v1.common_pb2")
        self.email = f"ann-{uuid.uuid4()}@example.org"
        self.user = self.users.SignUp(
            self.users_pb2.SignUpRequest(name="Ann", email=self.email, password="correct horse")
        ).user
        session = self.users.SignIn(
            self.users_pb2.SignInRequest(email=self.email, password="correct horse")
        )
        self.token = session.token
        self.ann = (("authorization", f"Bearer {session.token}"),)
        self.sku = self.inventory.ListProducts(
            self.inventory_pb2.ListProductsRequest(page_size=1)
        ).products[0].sku
        self.account = self.payments.CreateAccount(
            self.payments_pb2.CreateAccountRequest(currency="USD"), metadata=self.ann
        ).account
        self.payments.Deposit(
            self.payments_pb2.DepositRequest(account_id=self.account.id, amount=10_000_000),
            metadata=self.ann,
        )

    def wanted(self, key, quantity=1):
        return self.orders_pb2.PlaceOrderRequest(
            idempotency_key=key,
            account_id=self.account.id,
            items=[self.common_pb2.Item(sku=self.sku, quantity=quantity)],
            ship_to=self.common_pb2.ShipTo(
                name="Ann", address="1 Main St", city="Bonn", country="DE"
            ),
        )

    def rest(self, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection(self.address, timeout=PATIENCE)
        headers = {"authorization": f"Bearer {self.token}", **(headers or {})}
        if body is not None:
            headers["content-type"] = "application/json"
        connection.request(method, path, json.dumps(body) if body is not None else None, headers)
        answer = connection.getresponse()
        text = answer.read()
        return answer.status, json.loads(text or "null"), answer.headers


def generated(protos):
    """Compiles the descriptions as any customer would, and imports what comes of them."""
    folder = tempfile.mkdtemp()
    names = ["common", "users", "content", "orders", "payments", "inventory", "shipping"]
    include = importlib.import_module("grpc_tools").__path__[0] + "/_proto"
    files = [f"shop/{name}/v1/{name}.proto" for name in names]
    arguments = ["", f"-I{protos}", f"-I{include}", f"--python_out={folder}"]
    assert protoc.main(arguments + [f"--grpc_python_out={folder}"] + files) == 0
    sys.path.insert(0, folder)
    return folder


def refused(call):
    """The error of a call that must fail, with its details by type."""
    try:
        call()
    except grpc.RpcError as error:
        status = rpc_status.from_call(error)
        details = {}
        for any_detail in status.details if status else []:
            name = any_detail.type_url.rsplit(".", 1)[-1]
            message = getattr(error_details_pb2, name)()
            assert any_detail.Unpack(message)
            details[name] = message
        return error, details
    raise AssertionError("this call must fail")


def p1_a_caller_without_a_token_is_unauthenticated(shop):
    error, details = refused(lambda: shop.users.GetUser(shop.users_pb2.GetUserRequest(id="x")))
    assert error.code() == grpc.StatusCode.UNAUTHENTICATED, error
    assert details["ErrorInfo"].reason == "UNAUTHORIZED"
    bad = (("authorization", "Bearer nonsense"),)
    error, _ = refused(
        lambda: shop.users.GetUser(shop.users_pb2.GetUserRequest(id="x"), metadata=bad)
    )
    assert error.code() == grpc.StatusCode.UNAUTHENTICATED, error


def p1_strangers_find_nothing_and_customers_are_no_operators(shop):
    error, details = refused(
        lambda: shop.users.GetUser(shop.users_pb2.GetUserRequest(id="bob"), metadata=shop.ann)
    )
    assert error.code() == grpc.StatusCode.NOT_FOUND
    assert details["ErrorInfo"].reason == "NOT_FOUND"
    set_stock = shop.inventory_pb2.SetStockRequest(sku=shop.sku, on_hand=5)
    error, _ = refused(lambda: shop.inventory.SetStock(set_stock, metadata=shop.ann))
    assert error.code() == grpc.StatusCode.PERMISSION_DENIED


def p1_an_address_that_is_taken_already_exists(shop):
    again = shop.users_pb2.SignUpRequest(name="B", email=shop.email, password="correct horse")
    error, details = refused(lambda: shop.users.SignUp(again))
    assert error.code() == grpc.StatusCode.ALREADY_EXISTS
    assert details["ErrorInfo"].reason == "CONFLICT"


def p2_every_mistake_is_named_with_its_field(shop):
    request = shop.orders_pb2.PlaceOrderRequest(
        idempotency_key="k", items=[shop.common_pb2.Item(sku="x", quantity=0)]
    )
    error, details = refused(lambda: shop.orders.PlaceOrder(request, metadata=shop.ann))
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
    violations = {it.field: it.reason for it in details["BadRequest"].field_violations}
    assert violations == {
        "account_id": "LENGTH",
        "items[0].quantity": "OUT_OF_RANGE",
        "ship_to": "REQUIRED",
    }, violations
    info = details["ErrorInfo"]
    assert (info.reason, info.domain) == ("VALIDATION", "switchboard")
    # An answer without a message has nothing but trailers.
    request_id = dict(error.trailing_metadata())["x-request-id"]
    assert details["RequestInfo"].request_id == request_id
    assert details["Help"].links[0].url == "/problems/validation"


def p2_a_refusal_says_which_precondition_does_not_hold(shop):
    request = shop.payments_pb2.WithdrawRequest(account_id=shop.account.id, amount=10**12)
    error, details = refused(lambda: shop.payments.Withdraw(request, metadata=shop.ann))
    assert error.code() == grpc.StatusCode.FAILED_PRECONDITION
    assert details["PreconditionFailure"].violations[0].type == "CONFLICT"
    assert details["PreconditionFailure"].violations[0].description == error.details()


def p2_whoever_must_wait_is_told_how_long(shop):
    email = f"eve-{uuid.uuid4()}@example.org"
    wrong = shop.users_pb2.SignInRequest(email=email, password="wrong password")
    for _ in range(50):
        error, details = refused(lambda: shop.users.SignIn(wrong))
        if error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED:
            assert details["RetryInfo"].retry_delay.seconds > 0
            assert "QuotaFailure" in details
            return
        assert error.code() == grpc.StatusCode.UNAUTHENTICATED
    raise AssertionError("guessing is never stopped")


def p2_an_unknown_method_and_an_unknown_service_are_unimplemented(shop):
    for path in ["/shop.orders.v1.OrderService/Steal", "/no.such.Service/Do", "/nowhere"]:
        call = shop.channel.unary_unary(path)
        error, details = refused(lambda: call(b"", metadata=shop.ann))
        assert error.code() == grpc.StatusCode.UNIMPLEMENTED, (path, error)
        assert details["ErrorInfo"].domain == "switchboard"


def p3_a_deadline_that_passes_is_deadline_exceeded(shop):
    key = str(uuid.uuid4())
    placed = shop.orders.PlaceOrder(shop.wanted(key), metadata=shop.ann)
    watch = shop.orders.WatchOrder(
        shop.orders_pb2.WatchOrderRequest(id=placed.order.id), metadata=shop.ann
    )
    list(watch)
    health = health_pb2_grpc.HealthStub(shop.channel)
    begun = time.monotonic()
    stream = health.Watch(health_pb2.HealthCheckRequest(), timeout=0.5)
    # Caller and server count the same time. Whose word comes first is chance, and where both come at
    # once the library shows the server's message as it was sent: so only the code is looked at here.
    try:
        list(stream)
        raise AssertionError("the watch has ended in order")
    except grpc.RpcError as error:
        assert error.code() == grpc.StatusCode.DEADLINE_EXCEEDED, error
    assert 0.3 < time.monotonic() - begun < 3


def p3_the_server_itself_says_that_a_deadline_has_passed(shop):
    # The library does not let `grpc-timeout` be sent by hand and outwaited: a raw client does.
    frame = b"\0" + struct.pack(">I", 0)
    for timeout, least in [("0n", 0), ("300m", 0.25)]:
        raw = http.client.HTTPConnection(shop.address, timeout=PATIENCE)
        begun = time.monotonic()
        raw.request(
            "POST",
            "/grpc.health.v1.Health/Watch",
            frame,
            {
                "content-type": "application/grpc-web+proto",
                "x-grpc-web": "1",
                "grpc-timeout": timeout,
            },
        )
        answer = raw.getresponse()
        text = answer.read()
        status = answer.headers.get("grpc-status") or trailers(text).get("grpc-status")
        assert status == "4", (timeout, status, text)
        assert least <= time.monotonic() - begun < 3


def p4_health_is_as_the_protocol_has_it(shop):
    health = health_pb2_grpc.HealthStub(shop.channel)
    serving = health_pb2.HealthCheckResponse.SERVING
    for name in [""] + sorted(SERVICES):
        assert health.Check(health_pb2.HealthCheckRequest(service=name)).status == serving, name
    error, _ = refused(lambda: health.Check(health_pb2.HealthCheckRequest(service="nobody")))
    assert error.code() == grpc.StatusCode.NOT_FOUND


def p4_a_watch_of_an_unknown_service_says_so_and_stays(shop):
    health = health_pb2_grpc.HealthStub(shop.channel)
    stream = health.Watch(health_pb2.HealthCheckRequest(service="nobody"))
    assert next(stream).status == health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
    more = []
    thread = threading.Thread(target=lambda: more.extend(tolerant(stream)))
    thread.start()
    thread.join(0.5)
    assert thread.is_alive() and not more
    stream.cancel()
    thread.join(PATIENCE)
    stream = health.Watch(health_pb2.HealthCheckRequest())
    assert next(stream).status == health_pb2.HealthCheckResponse.SERVING
    stream.cancel()


def tolerant(stream):
    try:
        yield from stream
    except grpc.RpcError:
        return


def p4_reflection_lists_every_service_in_both_versions(shop):
    for version in ["v1", "v1alpha"]:
        # Both versions have the same messages; only the name of the service differs.
        call = shop.channel.stream_stream(
            f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo",
            request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
            response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
        )
        ask = reflection_pb2.ServerReflectionRequest(list_services="")
        answer = next(call(iter([ask])))
        names = {it.name for it in answer.list_services_response.service}
        assert SERVICES <= names, names
        assert "grpc.health.v1.Health" in names
        symbol = reflection_pb2.ServerReflectionRequest(
            file_containing_symbol="shop.orders.v1.OrderService"
        )
        answer = next(call(iter([symbol])))
        assert answer.file_descriptor_response.file_descriptor_proto
        assert f"grpc.reflection.{version}.ServerReflection" in names


def p4_what_reflection_describes_can_be_called(shop):
    assert reflection_pb2_grpc.ServerReflectionStub
    database = ProtoReflectionDescriptorDatabase(shop.channel)
    pool = descriptor_pool.DescriptorPool(database)
    service = pool.FindServiceByName("shop.orders.v1.OrderService")
    methods = {method.name for method in service.methods}
    assert {"PlaceOrder", "WatchOrder", "BatchGetOrders"} <= methods


def p5_an_order_is_watched_to_its_end(shop):
    placed = shop.orders.PlaceOrder(shop.wanted(str(uuid.uuid4())), metadata=shop.ann)
    watch = shop.orders.WatchOrder(
        shop.orders_pb2.WatchOrderRequest(id=placed.order.id),
        metadata=shop.ann,
        timeout=PATIENCE,
    )
    status = shop.orders_pb2.OrderStatus
    seen = [status.Name(it.order.status) for it in watch]
    expected = [
        "ORDER_STATUS_STARTED",
        "ORDER_STATUS_PAYMENT_PROCESSING",
        "ORDER_STATUS_INVENTORY_RESERVED",
        "ORDER_STATUS_SHIPPING_PROCESSING",
        "ORDER_STATUS_COMPLETED",
    ]
    # It may have come some way before the watch began; from there on nothing is missing.
    assert seen == expected[-len(seen):], seen
    order = shop.orders.GetOrder(
        shop.orders_pb2.GetOrderRequest(id=placed.order.id), metadata=shop.ann
    ).order
    assert [status.Name(it.status) for it in order.history] == expected
    shipments = shop.shipping.BatchGetShipments(
        shop.shipping_pb2.BatchGetShipmentsRequest(order_ids=[order.id, "none"]),
        metadata=shop.ann,
    ).shipments
    assert [it.id for it in shipments] == [order.shipment_id]
    error, details = refused(
        lambda: shop.orders.CancelOrder(
            shop.orders_pb2.CancelOrderRequest(id=order.id), metadata=shop.ann
        )
    )
    assert error.code() == grpc.StatusCode.FAILED_PRECONDITION
    events = shop.orders.ListOrderEvents(
        shop.orders_pb2.ListOrderEventsRequest(id=order.id), metadata=shop.ann
    ).events
    assert [it.seq for it in events] == list(range(1, len(events) + 1))


def p5_stock_is_imported_line_by_line(shop):
    lines = [("nothing-like-it", 5), (shop.sku, -1), (shop.sku, 1_000_000)]
    stream = (shop.inventory_pb2.ImportStockRequest(sku=sku, on_hand=n) for sku, n in lines)
    done = shop.inventory.ImportStock(stream, metadata=shop.operator)
    assert (done.received, done.imported) == (3, 1)
    failures = [(it.line, it.reason) for it in done.failures]
    assert failures == [(1, "NOT_FOUND"), (2, "VALIDATION")], failures
    stock = shop.inventory.GetStock(shop.inventory_pb2.GetStockRequest(sku=shop.sku)).stock
    assert stock.on_hand == 1_000_000
    error, _ = refused(
        lambda: shop.inventory.ImportStock(
            iter([shop.inventory_pb2.ImportStockRequest(sku=shop.sku)]), metadata=shop.ann
        )
    )
    assert error.code() == grpc.StatusCode.PERMISSION_DENIED


def p6_a_key_that_was_used_over_rest_replays_here_and_the_other_way(shop):
    key = str(uuid.uuid4())
    wanted = shop.wanted(key)
    body = {
        "account_id": wanted.account_id,
        "items": [{"sku": shop.sku, "quantity": 1}],
        "ship_to": {"name": "Ann", "address": "1 Main St", "city": "Bonn", "country": "DE"},
    }
    status, placed, _ = shop.rest("POST", "/api/v1/orders", body, {"idempotency-key": key})
    assert status == 201, placed
    again = shop.orders.PlaceOrder(wanted, metadata=shop.ann)
    assert again.replayed and again.order.id == placed["id"]
    assert again.order.total.amount == placed["total"]["amount"]
    key = str(uuid.uuid4())
    first = shop.orders.PlaceOrder(shop.wanted(key), metadata=shop.ann)
    assert not first.replayed
    status, second, headers = shop.rest(
        "POST", "/api/v1/orders", body, {"idempotency-key": key}
    )
    assert (status, second["id"]) == (201, first.order.id)
    assert headers["idempotency-replayed"] == "true"
    error, _ = refused(lambda: shop.orders.PlaceOrder(shop.wanted(key, 2), metadata=shop.ann))
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT


def p6_pages_go_on_in_the_other_protocol(shop):
    for _ in range(3):
        shop.orders.PlaceOrder(shop.wanted(str(uuid.uuid4())), metadata=shop.ann)
    first = shop.orders.ListOrders(
        shop.orders_pb2.ListOrdersRequest(page_size=2), metadata=shop.ann
    )
    _, second, _ = shop.rest("GET", f"/api/v1/orders?limit=1&cursor={first.next_page_token}")
    third = shop.orders.ListOrders(
        shop.orders_pb2.ListOrdersRequest(page_size=100), metadata=shop.ann
    )
    seen = [it.id for it in first.orders] + [it["id"] for it in second["items"]]
    assert seen == [it.id for it in third.orders][:3]
    error, _ = refused(
        lambda: shop.orders.ListOrders(
            shop.orders_pb2.ListOrdersRequest(page_size=-1), metadata=shop.ann
        )
    )
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT


def p6_posts_and_comments_are_written_and_read_in_batches(shop):
    pb2 = shop.content_pb2
    post = shop.content.CreatePost(
        pb2.CreatePostRequest(title="Mugs", content="They hold tea.", tags=["Tea", "tea"]),
        metadata=shop.ann,
    ).post
    assert (post.author.id, list(post.tags)) == (shop.user.id, ["tea"])
    comment = shop.content.CreateComment(
        pb2.CreateCommentRequest(post_id=post.id, content="And coffee."), metadata=shop.ann
    ).comment
    lists = shop.content.BatchListPosts(
        pb2.BatchListPostsRequest(author_ids=[shop.user.id, "nobody"]), metadata=shop.ann
    ).authors
    assert [[it.id for it in one.posts] for one in lists] == [[post.id], []]
    threads = shop.content.BatchListComments(
        pb2.BatchListCommentsRequest(post_ids=[post.id]), metadata=shop.ann
    ).posts
    assert [it.id for it in threads[0].comments] == [comment.id]
    stale = pb2.UpdatePostRequest(id=post.id, title="Cups", expected_version=99)
    error, details = refused(lambda: shop.content.UpdatePost(stale, metadata=shop.ann))
    assert error.code() == grpc.StatusCode.ABORTED
    assert details["ErrorInfo"].reason == "PRECONDITION_FAILED"


def p6_grpc_web_is_spoken_over_http_1(shop):
    request = shop.inventory_pb2.ListProductsRequest(page_size=1).SerializeToString()
    frame = b"\0" + struct.pack(">I", len(request)) + request
    path = "/shop.inventory.v1.InventoryService/ListProducts"
    for kind, encode, decode in [
        ("application/grpc-web+proto", lambda it: it, lambda it: it),
        ("application/grpc-web-text", base64.b64encode, pieces),
    ]:
        connection = http.client.HTTPConnection(shop.address, timeout=PATIENCE)
        headers = {"content-type": kind, "accept": kind, "x-grpc-web": "1"}
        headers["origin"] = "http://evil.example"
        connection.request("POST", path, encode(frame), headers)
        answer = connection.getresponse()
        text = decode(answer.read())
        assert answer.status == 200, answer.status
        assert answer.headers.get("access-control-allow-origin") is None
        (length,) = struct.unpack(">I", text[1:5])
        products = shop.inventory_pb2.ListProductsResponse.FromString(text[5 : 5 + length])
        assert len(products.products) == 1
        assert trailers(text[5 + length :])["grpc-status"] == "0"


def pieces(text):
    """Text that was encoded piece by piece, with padding wherever one ended."""
    return b"".join(base64.b64decode(text[at : at + 4]) for at in range(0, len(text), 4))


def trailers(text):
    """The trailers of gRPC-Web, which are a frame of the body; the messages before are skipped."""
    while text:
        kind, length = text[0], struct.unpack(">I", text[1:5])[0]
        frame, text = text[5 : 5 + length], text[5 + length :]
        if kind & 0x80:
            lines = frame.decode().split("\r\n")
            return dict(line.split(":", 1) for line in lines if ":" in line)
    return {}


def p6_a_message_that_is_too_large_is_refused(shop):
    request = shop.content_pb2.CreatePostRequest(title="t", content="x" * (2 << 20))
    error, _ = refused(lambda: shop.content.CreatePost(request, metadata=shop.ann))
    assert error.code() in (grpc.StatusCode.OUT_OF_RANGE, grpc.StatusCode.RESOURCE_EXHAUSTED)


def p6_a_request_has_one_id_everywhere(shop):
    asked = str(uuid.uuid4())
    call = shop.users.GetSession.with_call(
        shop.users_pb2.GetSessionRequest(), metadata=shop.ann + (("x-request-id", asked),)
    )
    assert dict(call[1].initial_metadata())["x-request-id"] == asked
    assert call[0].user_id == shop.user.id


def main():
    address, protos, *only = sys.argv[1:]
    shop = Shop(address, os.environ["OPERATOR_TOKEN"], protos)
    tests = [it for name, it in sorted(globals().items()) if name[0] == "p" and name[1].isdigit()]
    tests = [it for it in tests if not only or any(word in it.__name__ for word in only)]
    failed = 0
    for test in tests:
        begun = time.monotonic()
        try:
            test(shop)
            print(f"ok    {test.__name__} ({time.monotonic() - begun:.2f} s)", flush=True)
        except Exception as error:  # Whatever it is, the others run too.
            failed += 1
            print(f"FAIL  {test.__name__}: {type(error).__name__}: {error}", flush=True)
            traceback.print_exc()
    print(f"{len(tests) - failed} of {len(tests)} hold")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
