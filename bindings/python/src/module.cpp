/// \file
/// The extension module `gw._gw`: gateways, and the requests that cross to Python. What users see of it is made in bindings/python/gw.
#include "bind.hpp"
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
void forget_lines(gw::Place& place) {
  if (place.file.empty()) place.line = place.column = 0;
}

// What code has configured, added to what a file has.
gw::Config parse(const std::string& json, gw::Config base) {
  gw::Problems problems;
  gw::Config config = gw::parse_config(json, gw::Notation::json, "", problems, std::move(base));
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

// A gateway and what it needs of Python.
class PyGateway {
 public:
  explicit PyGateway(const std::optional<std::string>& file) : file_(file), gateway_(std::make_unique<gw::Gateway>(file ? gw::Gateway::from_file(*file) : gw::Gateway())) {
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
  void define_handler(const std::string& name, std::size_t number, bool in_pieces, std::shared_ptr<Queue> queue, std::shared_ptr<Queue> loop) {
    gateway_->define_handler(name, python_handler(number, in_pieces ? Reading::pieces : Reading::whole, std::move(queue), std::move(loop)));
  }
  void define(const std::string& name, std::size_t number, bool is_around, bool has_done, std::shared_ptr<Queue> loop) {
    gateway_->define(name, python_stage(name, number, is_around, has_done, std::move(loop)));
  }
  void configure(const std::string& json) { gateway_->config() = parse(json, base_); }
  void apply(const std::string& json) {
    gw::Config config = parse(json, base_);
    const nb::gil_scoped_release released;
    gateway_->apply(std::move(config));
  }
  void reload() {
    const nb::gil_scoped_release released;
    gateway_->reload();
    if (file_) base_ = gw::Gateway::from_file(*file_).config();
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
  std::string explain(const std::string& method, const std::string& target, nb::handle headers, const std::string& peer) {
    const gw::Request request = request_of(method, target, headers, "");
    const nb::gil_scoped_release released;
    return gateway_->explain(request, peer).json();
  }
  nb::tuple dispatch(const std::string& method, const std::string& target, nb::handle headers, nb::handle body) {
    gw::Request request = request_of(method, target, headers, text_of(body, "a body"));
    gw::Response response;
    {
      const nb::gil_scoped_release released;
      response = gateway_->dispatch(std::move(request));
    }
    nb::list fields = pairs_of(response.headers);
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
  static gw::Request request_of(const std::string& method, const std::string& target, nb::handle headers, std::string body) {
    const auto known = gw::parse_method(method);
    if (!known) throw std::invalid_argument("unknown method: " + method);
    gw::Request request(*known, target, std::move(body));
    request.headers = fields_of(headers);
    return request;
  }

  std::optional<std::string> file_;
  std::unique_ptr<gw::Gateway> gateway_;
  gw::Config base_;  // of the file, as it was read last
  std::optional<gw::Server> server_;
};

// From now on these C++ exceptions are those of Python: a ConfigError has a list of tuples, an Error a message, and a status if it has one.
void raise_errors_as(nb::object config_error, nb::object error) {
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
      config_error.release().ptr());
  nb::register_exception_translator(
      [](const std::exception_ptr& p, void* type) {
        try {
          std::rethrow_exception(p);
        } catch (const ContentError& e) {
          PyErr_SetObject(static_cast<PyObject*>(type), nb::make_tuple(e.what(), e.status).ptr());
        } catch (const CallError& e) {
          PyErr_SetString(static_cast<PyObject*>(type), e.what());
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
  m.def("raise_errors_as", &raise_errors_as, "config_error"_a, "error"_a, nb::sig("def raise_errors_as(config_error: type[Exception], error: type[Exception]) -> None"));
  m.attr("version") = GW_VERSION;

  bind_calls(m);

  nb::class_<PyGateway>(m, "Gateway")
      .def(nb::init<std::optional<std::string>>(), "file"_a = nb::none())
      .def("leak", &PyGateway::leak)
      .def("log_to_stderr", &PyGateway::log_to_stderr)
      .def("define_handler", &PyGateway::define_handler, "name"_a, "number"_a, "in_pieces"_a, "queue"_a, "loop"_a)
      .def("define", &PyGateway::define, "name"_a, "number"_a, "is_around"_a, "has_done"_a, "loop"_a)
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
      .def("explain", &PyGateway::explain, "method"_a, "target"_a, "headers"_a, "peer"_a,
           nb::sig("def explain(self, method: str, target: str, headers: list[tuple[str, str]], peer: str) -> str"))
      .def("dispatch", &PyGateway::dispatch, "method"_a, "target"_a, "headers"_a, "body"_a,
           nb::sig("def dispatch(self, method: str, target: str, headers: list[tuple[str, str]], body: bytes | str) -> tuple[int, list[tuple[str, str]], bytes]"))
      .def("set_endpoint", &PyGateway::set_endpoint, "upstream"_a, "address"_a, "weight"_a)
      .def("remove_endpoint", &PyGateway::remove_endpoint, "upstream"_a, "address"_a)
      .def("endpoints", &PyGateway::endpoints, "upstream"_a);
}
