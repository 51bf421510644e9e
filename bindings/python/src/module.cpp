/// \file
/// The extension module `gw._gw`: gateways, and the requests that cross to Python. What users see of it is made in bindings/python/gw.
#include "call.hpp"

#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <cstdio>

namespace nb = nanobind;
using namespace nb::literals;

namespace gw_python {
namespace {

void log_to_stderr(gw::LogLevel level, std::string_view line) {
  static constexpr const char* names[] = {"error", "warning", "info"};
  const std::string text = std::string("gw: ") + names[static_cast<int>(level)] + ": " + std::string(line) + '\n';
  std::fwrite(text.data(), 1, text.size(), stderr);
}

// What code has configured comes from no line of any file.
void forget_lines(gw::Place& place) { place.line = place.column = 0; }

gw::Config parse(const std::string& json) {
  gw::Problems problems;
  gw::Config config = gw::parse_config(json, gw::Notation::json, "", problems);
  for (gw::Problem& problem : problems) forget_lines(problem.place);
  if (!problems.empty()) throw gw::ConfigError(std::move(problems));
  const auto forget = [](std::vector<gw::StageConfig>& stages) {
    for (gw::StageConfig& stage : stages) {
      gw::Place place = stage.place();
      forget_lines(place);
      gw::StageConfig kept = stage.stage() ? gw::StageConfig(*stage.stage(), place) : gw::StageConfig(stage.name(), place);
      kept.set_options(stage.options());
      stage = std::move(kept);
    }
  };
  forget(config.use);
  for (gw::ListenConfig& listen : config.listen) forget_lines(listen.place);
  for (gw::UpstreamConfig& upstream : config.upstreams) forget_lines(upstream.place);
  for (gw::RouteConfig& route : config.routes) {
    forget_lines(route.place);
    forget(route.use);
    if (auto* handler = std::get_if<gw::HandlerConfig>(&route.action)) forget_lines(handler->place);
  }
  forget_lines(config.workers_place);
  forget_lines(config.admin.place);
  return config;
}

std::string text_of(nb::handle bytes_or_str, const char* what) {
  if (nb::isinstance<nb::bytes>(bytes_or_str)) {
    const auto bytes = nb::borrow<nb::bytes>(bytes_or_str);
    return {bytes.c_str(), bytes.size()};
  }
  if (nb::isinstance<nb::str>(bytes_or_str)) return nb::cast<std::string>(bytes_or_str);
  throw nb::type_error((std::string(what) + " must be bytes or str").c_str());
}

// A gateway and what it needs of Python.
class PyGateway {
 public:
  explicit PyGateway(const std::optional<std::string>& file) : gateway_(std::make_unique<gw::Gateway>(file ? gw::Gateway::from_file(*file) : gw::Gateway())) {
    base_ = gateway_->config();
  }
  ~PyGateway() {
    const nb::gil_scoped_release released;
    server_.reset();
    gateway_.reset();
  }
  // In a child process the threads of this one do not run: nothing can be ended.
  void leak() {
    if (server_) static_cast<void>(new gw::Server(std::move(*server_)));
    server_.reset();
    static_cast<void>(gateway_.release());
  }

  void log_to_stderr() { gateway_->log_to(gw_python::log_to_stderr); }
  void define_handler(const std::string& name, std::size_t handler, std::shared_ptr<Queue> queue) {
    gateway_->define_handler(name, python_handler(handler, std::move(queue)));
  }
  void configure(const std::string& json) { gateway_->config() = with(json); }
  void apply(const std::string& json) {
    gw::Config config = with(json);
    const nb::gil_scoped_release released;
    gateway_->apply(std::move(config));
  }
  void reload() {
    const nb::gil_scoped_release released;
    gateway_->reload();
  }
  void start() {
    const nb::gil_scoped_release released;
    server_.emplace(gateway_->start());
  }
  void stop() {
    const nb::gil_scoped_release released;
    gateway_->stop();
    server_.reset();
  }
  std::uint16_t port() const { return server_ ? server_->port() : std::uint16_t{0}; }
  std::uint16_t admin_port() const { return server_ ? server_->admin_port() : std::uint16_t{0}; }
  std::string address() const { return server_ ? server_->address() : std::string(); }

  std::vector<std::string> check() {
    std::vector<std::string> texts;
    for (const gw::Problem& problem : gateway_->check()) texts.push_back(problem.text());
    return texts;
  }
  std::string routes() { return to_text(gateway_->routes()); }
  std::string explain(const std::string& method, const std::string& target, const Pairs& headers, const std::string& peer) {
    const gw::Request request = request_of(method, target, headers, "");
    const nb::gil_scoped_release released;
    return gateway_->explain(request, peer).json();
  }
  nb::tuple dispatch(const std::string& method, const std::string& target, const Pairs& headers, nb::handle body) {
    gw::Request request = request_of(method, target, headers, text_of(body, "a body"));
    gw::Response response;
    {
      const nb::gil_scoped_release released;
      response = gateway_->dispatch(std::move(request));
    }
    nb::list fields;
    for (const gw::Headers::Field& field : response.headers) fields.append(nb::make_tuple(std::string(field.name), std::string(field.value)));
    const std::string_view content = response.body.text();
    return nb::make_tuple(response.status, fields, nb::bytes(content.data(), content.size()));
  }
  void set_endpoint(const std::string& upstream, const std::string& address, unsigned weight) {
    gateway_->set_endpoint(gw::Upstream(upstream), gw::EndpointOptions(address, weight));
  }
  void remove_endpoint(const std::string& upstream, const std::string& address) { gateway_->remove_endpoint(gw::Upstream(upstream), address); }
  std::vector<std::pair<std::string, unsigned>> endpoints(const std::string& upstream) {
    std::vector<std::pair<std::string, unsigned>> all;
    for (const gw::EndpointOptions& endpoint : gateway_->endpoints(gw::Upstream(upstream))) all.emplace_back(endpoint.address, endpoint.weight);
    return all;
  }

 private:
  // The file's configuration and that of code.
  gw::Config with(const std::string& json) const {
    gw::Config code = parse(json);
    gw::Config all = base_;
    const auto append = [](auto& to, auto& from) { to.insert(to.end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end())); };
    append(all.listen, code.listen);
    append(all.use, code.use);
    append(all.upstreams, code.upstreams);
    append(all.routes, code.routes);
    const gw::Config usual;
    if (!code.admin.address.empty()) all.admin = code.admin;
    if (code.workers != usual.workers) all.workers = code.workers, all.workers_place = code.workers_place;
    if (code.wrong_method != usual.wrong_method) all.wrong_method = code.wrong_method;
    if (!code.name_servers.empty()) all.name_servers = code.name_servers;
    if (code.timeouts != usual.timeouts) all.timeouts = code.timeouts;
    if (code.limits != usual.limits) all.limits = code.limits;
    return all;
  }

  static gw::Request request_of(const std::string& method, const std::string& target, const Pairs& headers, std::string body) {
    const auto known = gw::parse_method(method);
    if (!known) throw std::invalid_argument("unknown method: " + method);
    gw::Request request(*known, target, std::move(body));
    for (const auto& [name, value] : headers) request.headers.add(name, value);
    return request;
  }

  std::unique_ptr<gw::Gateway> gateway_;
  gw::Config base_;  // of the file
  std::optional<gw::Server> server_;
};

template <class T>
void done(T& item) {
  item.is_done = true;
  item.resume();
}

template <class T>
void expect_open(const T& item) {
  if (item.is_done) throw nb::value_error("this was answered already");
}

void reply(Call& call, int status, const Pairs& headers, nb::handle body) {
  expect_open(call);
  gw::Response response(status);
  response.headers.clear();
  for (const auto& [name, value] : headers) response.headers.add(name, value);
  response.body = gw::Body(text_of(body, "a body"));
  call.response = std::move(response);
  done(call);
}

void reply_stream(Call& call, int status, const Pairs& headers, std::size_t stream, std::shared_ptr<Queue> queue) {
  expect_open(call);
  gw::Response response(status);
  response.headers.clear();
  for (const auto& [name, value] : headers) response.headers.add(name, value);
  response.body = python_body(stream, std::move(queue));
  call.response = std::move(response);
  done(call);
}

// From now on a ConfigError is this exception, which takes a list of tuples.
void raise_config_errors_as(nb::object error) {
  nb::register_exception_translator(
      [](const std::exception_ptr& p, void* type) {
        try {
          std::rethrow_exception(p);
        } catch (const gw::ConfigError& e) {
          nb::list problems;
          for (const gw::Problem& problem : e.problems()) problems.append(nb::make_tuple(problem.place.file, problem.place.line, problem.place.column, problem.place.path, problem.what));
          PyErr_SetObject(static_cast<PyObject*>(type), problems.ptr());
        }
      },
      error.release().ptr());
}

}  // namespace
}  // namespace gw_python

NB_MODULE(_gw, m) {
  using namespace gw_python;
  // Gateways that are global live until the process ends.
  nb::set_leak_warnings(false);
  m.def("raise_config_errors_as", &raise_config_errors_as, "type"_a, nb::sig("def raise_config_errors_as(type: type[Exception]) -> None"));
  m.attr("version") = GW_VERSION;

  nb::class_<Item>(m, "Item");
  nb::class_<Call, Item>(m, "Call")
      .def_ro("handler", &Call::handler)
      .def_ro("method", &Call::method)
      .def_ro("target", &Call::target)
      .def_ro("path", &Call::path)
      .def_ro("query", &Call::query)
      .def_ro("authority", &Call::authority)
      .def_ro("route", &Call::route)
      .def_ro("id", &Call::id)
      .def_ro("client_address", &Call::client_address)
      .def_ro("peer_address", &Call::peer_address)
      .def_ro("client_scheme", &Call::client_scheme)
      .def_ro("consumer", &Call::consumer)
      .def_prop_ro("body", [](const Call& c) { return nb::bytes(c.body.data(), c.body.size()); })
      // Octets above ASCII are Latin-1, as everywhere in Python's HTTP.
      .def_prop_ro("headers", [](const Call& c) {
        nb::list all;
        for (const auto& [name, value] : c.headers)
          all.append(nb::make_tuple(nb::steal<nb::str>(PyUnicode_DecodeLatin1(name.data(), static_cast<Py_ssize_t>(name.size()), nullptr)),
                                    nb::steal<nb::str>(PyUnicode_DecodeLatin1(value.data(), static_cast<Py_ssize_t>(value.size()), nullptr))));
        return all;
      }, nb::sig("def headers(self) -> list[tuple[str, str]]"))
      .def_prop_ro("params", [](const Call& c) {
        nb::dict all;
        for (const auto& [name, value] : c.params)
          all[nb::str(name.data(), name.size())] = nb::steal<nb::str>(PyUnicode_DecodeUTF8(value.data(), static_cast<Py_ssize_t>(value.size()), "surrogateescape"));
        return all;
      }, nb::sig("def params(self) -> dict[str, str]"))
      .def("reply", &reply, "status"_a, "headers"_a, "body"_a)
      .def("reply_stream", &reply_stream, "status"_a, "headers"_a, "stream"_a, "queue"_a)
      .def("reply_status", [](Call& call, int status) {
        expect_open(call);
        call.response = gw::Response(status);
        done(call);
      }, "status"_a)
      .def("fail", [](Call& call) {
        expect_open(call);
        done(call);
      });
  nb::class_<Pull, Item>(m, "Pull")
      .def_ro("stream", &Pull::stream)
      .def("give", [](Pull& pull, nb::handle piece) {
        expect_open(pull);
        pull.piece = text_of(piece, "a piece");
        done(pull);
      }, "piece"_a)
      .def("end", [](Pull& pull) {
        expect_open(pull);
        done(pull);
      })
      .def("fail", [](Pull& pull) {
        expect_open(pull);
        pull.has_failed = true;
        done(pull);
      });
  nb::class_<Drop, Item>(m, "Drop").def_ro("stream", &Drop::stream);

  nb::class_<Queue>(m, "Queue")
      .def(nb::new_([] { return std::make_shared<Queue>(); }))
      .def("take", &Queue::take, "has_done_one"_a, nb::call_guard<nb::gil_scoped_release>(), nb::sig("def take(self, has_done_one: bool) -> Call | Pull | Drop | None"))
      .def("take_all", &Queue::take_all, nb::sig("def take_all(self) -> list[Call | Pull | Drop]"))
      .def("descriptor", &Queue::descriptor)
      .def("close", &Queue::close, nb::call_guard<nb::gil_scoped_release>());

  nb::class_<PyGateway>(m, "Gateway")
      .def(nb::init<std::optional<std::string>>(), "file"_a = nb::none())
      .def("leak", &PyGateway::leak)
      .def("log_to_stderr", &PyGateway::log_to_stderr)
      .def("define_handler", &PyGateway::define_handler, "name"_a, "handler"_a, "queue"_a)
      .def("configure", &PyGateway::configure, "json"_a)
      .def("apply", &PyGateway::apply, "json"_a)
      .def("reload", &PyGateway::reload)
      .def("start", &PyGateway::start)
      .def("stop", &PyGateway::stop)
      .def("port", &PyGateway::port)
      .def("admin_port", &PyGateway::admin_port)
      .def("address", &PyGateway::address)
      .def("check", &PyGateway::check)
      .def("routes", &PyGateway::routes)
      .def("explain", &PyGateway::explain, "method"_a, "target"_a, "headers"_a, "peer"_a)
      .def("dispatch", &PyGateway::dispatch, "method"_a, "target"_a, "headers"_a, "body"_a,
           nb::sig("def dispatch(self, method: str, target: str, headers: list[tuple[str, str]], body: bytes | str) -> tuple[int, list[tuple[str, str]], bytes]"))
      .def("set_endpoint", &PyGateway::set_endpoint, "upstream"_a, "address"_a, "weight"_a)
      .def("remove_endpoint", &PyGateway::remove_endpoint, "upstream"_a, "address"_a)
      .def("endpoints", &PyGateway::endpoints, "upstream"_a);
}
