/// \file
/// `Call`, `Queue` and `Hand` for Python, and what texts become on the way.
#include "bind.hpp"
#include "call.hpp"

#include <gw/path.hpp>

#include <nanobind/stl/optional.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>

#include <charconv>

namespace nb = nanobind;
using namespace nb::literals;

namespace gw_python {

std::string text_of(nb::handle bytes_or_str, const char* what) {
  if (PyBytes_Check(bytes_or_str.ptr())) {
    char* text = nullptr;
    Py_ssize_t size = 0;
    if (PyBytes_AsStringAndSize(bytes_or_str.ptr(), &text, &size) < 0) nb::raise_python_error();
    return {text, static_cast<std::size_t>(size)};
  }
  if (PyUnicode_Check(bytes_or_str.ptr())) {
    Py_ssize_t size = 0;
    const char* const text = PyUnicode_AsUTF8AndSize(bytes_or_str.ptr(), &size);
    if (!text) nb::raise_python_error();
    return {text, static_cast<std::size_t>(size)};
  }
  throw nb::type_error((std::string(what) + " must be bytes or str").c_str());
}

namespace {

// The name or value of a field, appended to `out`.
void append_latin1(std::string& out, nb::handle text) {
  char* bytes = nullptr;
  Py_ssize_t size = 0;
  if (PyBytes_Check(text.ptr())) {
    if (PyBytes_AsStringAndSize(text.ptr(), &bytes, &size) < 0) nb::raise_python_error();
    out.append(bytes, static_cast<std::size_t>(size));
    return;
  }
  if (!PyUnicode_Check(text.ptr())) throw nb::type_error("the name and value of a field must be str or bytes");
  const nb::object latin1 = nb::steal(PyUnicode_AsLatin1String(text.ptr()));
  if (!latin1.is_valid()) nb::raise_python_error();
  append_latin1(out, latin1);
}

nb::str utf8(std::string_view text) { return nb::steal<nb::str>(PyUnicode_DecodeUTF8(text.data(), static_cast<Py_ssize_t>(text.size()), "surrogateescape")); }
nb::bytes bytes_of(std::string_view text) { return nb::bytes(text.data(), text.size()); }

gw::Response response_of(int status, nb::handle fields) {
  if (status < 200 || status > 599) throw nb::value_error("the status of a response is from 200 to 599");
  gw::Response response;
  response.status = status;
  if (!fields.is_none()) response.headers = fields_of(fields);
  return response;
}

// Content that an application left out of its response to HEAD: nobody knows how much it would have been.
class Unknown : public gw::Body::Source {
 public:
  std::optional<gw::Chunk> ready() override { return gw::Chunk{}; }
  gw::Task<gw::Result<gw::Chunk>> read() override { co_return gw::Chunk{}; }
};

void reply(Call& call, int status, nb::handle fields, nb::handle body) {
  gw::Response response = response_of(status, fields);
  std::string content = text_of(body, "a body");
  const bool is_unknown = content.empty() && call.asked().method == "HEAD" && !response.headers.has("content-length");
  response.body = is_unknown ? gw::Body(std::make_unique<Unknown>()) : gw::Body(std::move(content));
  call.reply(std::move(response));
}

// What handlers mostly give: content of a type.
void reply_content(Call& call, const char* type, nb::handle body) {
  gw::Response response;
  response.headers.add("Content-Type", type);
  response.body = gw::Body(text_of(body, "a body"));
  call.reply(std::move(response));
}

void reply_stream(Call& call, int status, nb::handle fields, std::size_t stream, std::shared_ptr<Queue> queue) {
  gw::Response response = response_of(status, fields);
  std::optional<std::uint64_t> size;
  if (const auto length = response.headers.get("content-length")) {
    std::uint64_t n = 0;
    const auto [end, ec] = std::from_chars(length->data(), length->data() + length->size(), n);
    if (ec != std::errc() || end != length->data() + length->size()) throw nb::value_error("Content-Length is no number");
    size = n;
  }
  response.body = python_body(call.shared_from_this(), stream, std::move(queue), size);
  call.reply(std::move(response));
}

void next(Call& call, std::size_t number, bool is_last, nb::handle request_fields, std::optional<std::string> consumer, std::optional<std::string> id) {
  Call::Edits edits;
  if (!request_fields.is_none()) edits.request_headers = fields_of(request_fields);
  edits.consumer = std::move(consumer);
  edits.id = std::move(id);
  call.next(std::move(edits), number, is_last);
}

void leave(Call& call, std::optional<int> status, nb::handle response_fields) {
  if (status) response_of(*status, nb::none());
  Call::Edits edits;
  edits.status = status;
  if (!response_fields.is_none()) edits.response_headers = fields_of(response_fields);
  call.leave(std::move(edits));
}

nb::bytes content_of(gw::Result<std::string> piece) {
  if (!piece) throw ContentError(piece.error());
  return bytes_of(*piece);
}

// Host and port of an authority; None if it is not known.
nb::object server_of(std::string_view authority, std::string_view scheme) {
  if (authority.empty()) return nb::none();
  int port = scheme == "https" ? 443 : 80;
  const std::size_t colon = authority.rfind(':');
  if (colon != authority.npos && authority.find(']', colon) == authority.npos) {
    std::from_chars(authority.data() + colon + 1, authority.data() + authority.size(), port);
    authority = authority.substr(0, colon);
  }
  if (authority.starts_with('[') && authority.ends_with(']')) authority = authority.substr(1, authority.size() - 2);
  return nb::make_tuple(utf8(authority), port);
}

// The keys of a scope, which are made once.
struct ScopeKeys {
  static nb::object key(const char* text) { return nb::steal(PyUnicode_InternFromString(text)); }
  nb::object http_version = key("http_version"), method = key("method"), scheme = key("scheme"), path = key("path"), raw_path = key("raw_path"),
             query_string = key("query_string"), root_path = key("root_path"), headers = key("headers"), client = key("client"), server = key("server");
  nb::object http10 = key("1.0"), http11 = key("1.1");
};

// A connection scope of ASGI 3: what is always the same, and what this request is.
nb::dict asgi_scope(const Call& call, const nb::dict& same, nb::handle root_path) {
  const Call::Asked& asked = call.asked();
  nb::dict scope = nb::steal<nb::dict>(PyDict_Copy(same.ptr()));
  nb::list fields;
  std::string name;
  for (const Call::Field& field : asked.headers) {
    name.assign(field.first);
    for (char& c : name)
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + ('a' - 'A'));
    fields.append(nb::make_tuple(bytes_of(name), bytes_of(field.second)));
  }
  const std::string path = gw::percent_decode(asked.path);
  static const ScopeKeys& keys = *new ScopeKeys;  // outlives the interpreter
  const auto set = [&scope](const nb::object& key, nb::handle value) {
    if (PyDict_SetItem(scope.ptr(), key.ptr(), value.ptr()) < 0) nb::raise_python_error();
  };
  set(keys.http_version, asked.minor_version == 0 ? keys.http10 : keys.http11);
  set(keys.method, utf8(asked.method));
  set(keys.scheme, utf8(asked.client_scheme));
  set(keys.path, nb::steal(PyUnicode_DecodeUTF8(path.data(), static_cast<Py_ssize_t>(path.size()), "replace")));
  set(keys.raw_path, bytes_of(asked.target.substr(0, asked.target.find('?'))));
  set(keys.query_string, bytes_of(asked.query));
  set(keys.root_path, root_path);
  set(keys.headers, fields);
  set(keys.client, asked.client_address.empty() ? nb::object(nb::none()) : nb::object(nb::make_tuple(utf8(asked.client_address), 0)));
  set(keys.server, server_of(asked.authority, asked.client_scheme));
  return scope;
}

nb::object tuple_of(const Item& item) {
  return nb::make_tuple(static_cast<int>(item.kind), item.number, item.call ? nb::cast(item.call) : nb::none());
}

nb::object take(Queue& queue, Queue::Hand& hand) {
  std::optional<Item> item = queue.take_now(hand);
  if (!item) {
    const nb::gil_scoped_release released;
    item = queue.take(hand);
  }
  return item ? tuple_of(*item) : nb::none();
}

nb::list take_all(Queue& queue) {
  nb::list all;
  for (const Item& item : queue.take_all()) all.append(tuple_of(item));
  return all;
}

template <auto Member>
nb::str asked(const Call& call) {
  return utf8(call.asked().*Member);
}

}  // namespace

gw::Headers fields_of(nb::handle pairs) {
  gw::Headers fields;
  std::string name, value;
  for (nb::handle pair : nb::iter(pairs)) {
    const nb::object parts = PyTuple_Check(pair.ptr()) ? nb::borrow(pair) : nb::steal(PySequence_Tuple(pair.ptr()));
    if (!parts.is_valid()) nb::raise_python_error();
    if (PyTuple_Size(parts.ptr()) != 2) throw nb::value_error("a field is a pair of a name and a value");
    name.clear();
    value.clear();
    append_latin1(name, PyTuple_GetItem(parts.ptr(), 0));
    append_latin1(value, PyTuple_GetItem(parts.ptr(), 1));
    fields.add(name, value);
  }
  return fields;
}

void bind_calls(nb::module_& m) {
  static constexpr std::pair<const char*, Item::Kind> kinds[] = {
      {"HANDLE", Item::Kind::handle}, {"STAGE", Item::Kind::stage}, {"DONE", Item::Kind::done}, {"RESUMED", Item::Kind::resumed},
      {"GONE", Item::Kind::gone}, {"PULL", Item::Kind::pull}, {"DROP", Item::Kind::drop}, {"OVER", Item::Kind::over}};
  for (const auto& [name, kind] : kinds) m.attr(name) = static_cast<int>(kind);

  nb::class_<Call>(m, "Call")
      .def_prop_ro("method", &asked<&Call::Asked::method>)
      .def_prop_ro("target", &asked<&Call::Asked::target>)
      .def_prop_ro("path", &asked<&Call::Asked::path>)
      .def_prop_ro("query", &asked<&Call::Asked::query>)
      .def_prop_ro("authority", &asked<&Call::Asked::authority>)
      .def_prop_ro("route", &asked<&Call::Asked::route>)
      .def_prop_ro("id", &asked<&Call::Asked::id>)
      .def_prop_ro("client_address", &asked<&Call::Asked::client_address>)
      .def_prop_ro("peer_address", &asked<&Call::Asked::peer_address>)
      .def_prop_ro("client_scheme", &asked<&Call::Asked::client_scheme>)
      .def_prop_ro("consumer", &asked<&Call::Asked::consumer>)
      .def_prop_ro("is_peer_trusted", [](const Call& c) { return c.asked().is_peer_trusted; })
      .def_prop_ro("minor_version", [](const Call& c) { return c.asked().minor_version; })
      .def_prop_ro("elapsed", [](const Call& c) { return static_cast<double>(c.asked().elapsed) / 1e9; })
      .def_prop_ro("headers", [](const Call& c) { return pairs_of(c.asked().headers); }, nb::sig("def headers(self) -> list[tuple[str, str]]"))
      .def_prop_ro("params", [](const Call& c) {
        nb::dict all;
        for (const auto& [name, value] : c.asked().params) all[utf8(name)] = utf8(value);
        return all;
      }, nb::sig("def params(self) -> dict[str, str]"))
      .def_prop_ro("number", &Call::number)
      .def_prop_ro("is_over", &Call::is_over)
      .def_prop_ro("is_gone", &Call::is_gone)
      .def_prop_ro("has_content", &Call::has_content)
      .def_prop_ro("content", [](const Call& c) { return bytes_of(c.content()); })
      .def_prop_ro("status", [](const Call& c) { return c.outcome().status; })
      .def_prop_ro("response_headers", [](const Call& c) { return pairs_of(c.outcome().headers); }, nb::sig("def response_headers(self) -> list[tuple[str, str]]"))
      .def_prop_ro("bytes_sent", [](const Call& c) { return c.outcome().bytes_sent; })
      .def_prop_ro("bytes_received", [](const Call& c) { return c.outcome().bytes_received; })
      .def_prop_ro("is_complete", [](const Call& c) { return c.outcome().is_complete; })
      .def("asgi_scope", &asgi_scope, "same"_a, "root_path"_a, nb::sig("def asgi_scope(self, same: dict[str, object], root_path: str) -> dict[str, object]"))
      .def("keep", &Call::keep)
      .def("end", &Call::end)
      .def("reply", &reply, "status"_a, "headers"_a, "body"_a)
      .def("reply_content", &reply_content, "type"_a, "body"_a)
      .def("reply_stream", &reply_stream, "status"_a, "headers"_a, "stream"_a, "queue"_a)
      .def("reply_status", [](Call& c, int status) { c.reply(gw::Response(status)); }, "status"_a)
      .def("fail", &Call::fail)
      .def("next", &next, "number"_a, "is_last"_a, "request_headers"_a.none(), "consumer"_a.none(), "id"_a.none())
      .def("leave", &leave, "status"_a.none(), "response_headers"_a.none())
      .def("read", &Call::read, "whole"_a, "number"_a)
      .def("read_response", &Call::read_response, "number"_a)
      .def("take_piece", [](Call& c) { return content_of(c.take_piece()); })
      .def("read_now", [](Call& c, bool whole) {
        gw::Result<std::string> piece = [&] {
          const nb::gil_scoped_release released;
          return c.read_now(whole);
        }();
        return content_of(std::move(piece));
      }, "whole"_a)
      .def("give", [](Call& c, nb::handle piece) { c.give(text_of(piece, "a piece")); }, "piece"_a)
      .def("finish", &Call::finish, "is_whole"_a);

  nb::class_<Outbox>(m, "Outbox")
      .def(nb::init<>())
      .def("open", [](Outbox& outbox, nb::typed<nb::callable, nb::object()> on_first) {
        outbox.on_first = [on_first = std::move(on_first)] { on_first(); };
        Outbox::present() = &outbox;
      }, "on_first"_a)
      .def("close", [](Outbox& outbox) {
        Outbox::present() = nullptr;
        outbox.flush();
        outbox.on_first = nullptr;
      })
      .def("flush", &Outbox::flush);
  nb::class_<Queue::Hand>(m, "Hand").def(nb::init<>());
  nb::class_<Queue>(m, "Queue")
      .def(nb::new_([] { return std::make_shared<Queue>(); }))
      .def("take", &take, "hand"_a, nb::sig("def take(self, hand: Hand) -> tuple[int, int, Call] | None"))
      .def("take_all", &take_all, nb::sig("def take_all(self) -> list[tuple[int, int, Call]]"))
      .def("descriptor", &Queue::descriptor)
      .def("close", &Queue::close);
}

}  // namespace gw_python
