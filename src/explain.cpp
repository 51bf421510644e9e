#include "explain.hpp"

#include "h1/codec.hpp"
#include "middleware/preflight.hpp"
#include "proxy/exchange.hpp"
#include "proxy/worker.hpp"
#include "route_precedence.hpp"

#include <gw/middleware/cors.hpp>

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace gw {
inline namespace v0 {
namespace {

constexpr std::string_view client_address = "<client address>";
// No listener has port 0, so this is what stands for the port of the one that would be asked.
constexpr std::string_view unknown_port = "X-Forwarded-Port: 0", listener_port = "X-Forwarded-Port: <listener port>";

class NoClient final : public proxy::Client {
 public:
  Task<> interim(const Response&) override { co_return; }
};

// A body of which only the declared size is known.
class Declared final : public Body::Source {
 public:
  explicit Declared(std::optional<std::uint64_t> size) : size_(size) {}
  Task<Result<Chunk>> read() override { co_return Failure(Error::client_gone, Origin::client); }
  std::optional<std::uint64_t> size() const override { return size_; }

 private:
  std::optional<std::uint64_t> size_;
};

// The request as a client would write it, so that it is read as a client's.
std::string wire_text(const Request& request) {
  std::string text;
  const bool is_http10 = request.version == Version::http10;
  text.append(to_string(request.method)).append(" ").append(request.target()).append(is_http10 ? " HTTP/1.0\r\n" : " HTTP/1.1\r\n");
  if (!is_http10 && !request.headers.has("host")) text += "Host: localhost\r\n";
  for (const auto& [name, value] : request.headers) text.append(name).append(": ").append(value).append("\r\n");
  const std::size_t size = request.body.text().size();
  if (size > 0 && !request.headers.has("content-length") && !request.headers.has("transfer-encoding"))
    text += "Content-Length: " + std::to_string(size) + "\r\n";
  return text + "\r\n";
}

class Explainer {
 public:
  Explainer(const std::shared_ptr<const proxy::Snapshot>& snapshot, const Request& request, std::string_view peer, const Networks* trusted)
      : snapshot_(*snapshot),
        peer_{peer.empty() ? client_address : peer, 0, is_trusted(peer, trusted) ? trusted : nullptr},
        text_(wire_text(request)),
        codec_(snapshot->limits) {
    shared_.pseudonym = "<gateway>";
    worker_.publish(snapshot);
    result_.request = std::string(to_string(request.method)) + ' ' + std::string(request.target());
  }

  Explanation explain() {
    Context& c = exchange_.context;
    const Result<std::size_t> size = codec_.head(text_, c.req);
    if (!size || *size == 0) {
      result_.status = status_of(size ? make_error_code(Error::malformed_request) : size.error().code);
      return std::move(result_);
    }
    if (codec_.framing() == h1::Framing::length) c.req.body = Body(std::make_unique<Declared>(codec_.length()));
    if (codec_.framing() == h1::Framing::chunked) c.req.body = Body(std::make_unique<Declared>(std::nullopt));
    exchange_.begin(peer_);
    const Handler& handler = exchange_.find(codec_.wants_upgrade());
    result_.path = c.req.path();

    const std::optional<std::size_t> route = find_route(c.route());
    const proxy::RoutePlan* plan = route ? snapshot_.routes[*route].plan : nullptr;
    if (route) result_.route = snapshot_.router.name(*route);
    if (&handler == &snapshot_.bad_path) list_lost_on_bad_path();
    else list_lost(route);
    for (const Stage& stage : (plan ? plan->pipeline : snapshot_.unrouted).stages()) result_.stages.push_back(stage.name());
    if (is_answered_by_cors()) {
      result_.status = 204;
      return std::move(result_);
    }
    const bool is_taken = plan && &handler == &plan->handler;
    if (is_taken && plan->forward) forward(part_of(*plan->forward));
    else if (is_taken && plan->runs_user_code) result_.is_handler = true;
    else Pipeline({}).run_now(c, handler);
    if (c.has_reply()) {
      result_.status = c.res.status;
      result_.location = c.res.headers["location"];
    }
    return std::move(result_);
  }

 private:
  static bool is_trusted(std::string_view peer, const Networks* trusted) {
    const std::optional<IpAddress> address = IpAddress::parse(peer);
    return trusted && address && trusted->contains(*address);
  }

  std::optional<std::size_t> find_route(std::string_view name) const {
    for (std::size_t i = 0; i < snapshot_.router.size(); ++i)
      if (snapshot_.router.name(i) == name) return i;
    return std::nullopt;
  }

  // No stage runs here, but this one answers all preflights alike, and most of them are for methods that no route takes.
  bool is_answered_by_cors() const {
    const auto& stages = result_.stages;
    return detail::is_preflight(exchange_.context.req) && std::find(stages.begin(), stages.end(), Cors::stage_name) != stages.end();
  }

  // A path that cannot be read was compared with nothing.
  void list_lost_on_bad_path() {
    const std::string why(message_of(make_error_code(Error::bad_path)));
    for (std::size_t i = 0; i < snapshot_.router.size(); ++i) result_.lost.push_back({std::string(snapshot_.router.name(i)), "path", why});
  }

  void list_lost(std::optional<std::size_t> winner) {
    const Request& r = exchange_.context.req;
    // Both spellings, for routes that keep slashes and for the others.
    std::string merged, unmerged;
    const std::string_view raw = r.target().substr(0, r.target().find('?'));
    const RouteQuery query{r.method, r.authority(), normalize_path(raw, merged).value_or(r.path()), r.query(), &r.headers,
                           normalize_path(raw, unmerged, true).value_or(r.path())};
    const std::vector<RouteRule> rules = snapshot_.router.rules();
    const RouteRule* const won = winner ? &rules[*winner] : nullptr;
    for (const RouteRule& rule : rules) {
      if (&rule == won) continue;
      RouteReason reason = why_not(rule, query);
      if (reason.on.empty() && won) reason = why_preferred(*won, rule, query);
      result_.lost.push_back({rule.name, std::move(reason.on), std::move(reason.why)});
    }
  }

  // Where the request goes, or most such requests do.
  const proxy::Forward& part_of(const proxy::Forward& forward) {
    if (!forward.split()) return forward;
    const auto& parts = forward.split()->parts;
    for (const auto& part : parts) result_.split.emplace_back(part.name, part.weight);
    const auto name_of = [](const HashKey& key) {
      constexpr std::string_view kinds[] = {"the client's address", "the path", "header ", "cookie "};
      return std::string(kinds[static_cast<std::size_t>(key.kind)]) + key.name;
    };
    if (const auto& key = forward.split()->chosen_by) result_.split_by = name_of(*key);
    if (const auto& key = forward.split()->hash) result_.split_by += (result_.split_by.empty() ? "" : ", then ") + ("the hash of " + name_of(*key));
    const proxy::Forward* decided = forward.decided(exchange_.context);
    result_.is_part_decided = decided != nullptr;
    if (decided) return *decided;
    return std::max_element(parts.begin(), parts.end(), [](const auto& a, const auto& b) { return a.weight < b.weight; })->forward;
  }

  void forward(const proxy::Forward& forward) {
    const auto selection = forward.upstream().look();
    const auto& endpoints = selection->entries();
    // All addresses of a name are asked by that name.
    const bool is_one = !endpoints.empty() && std::all_of(endpoints.begin(), endpoints.end(), [&](const auto& e) {
      return e.member->endpoint->host_field == endpoints[0].member->endpoint->host_field;
    });
    proxy::HeadText head;
    if (!exchange_.compose_head(head, forward, is_one ? std::string_view(endpoints[0].member->endpoint->host_field) : "<endpoint>")) return;
    result_.upstream = forward.upstream().name;
    for (const auto& e : endpoints) result_.endpoints.push_back(e.member->endpoint->name);
    for (std::string_view rest = head.text(); !rest.starts_with("\r\n");) {
      const std::size_t end = rest.find("\r\n");
      const std::string_view line = rest.substr(0, end);
      result_.head.emplace_back(line == unknown_port ? listener_port : line);
      rest.remove_prefix(end + 2);
    }
  }

  const proxy::Snapshot& snapshot_;
  const proxy::Peer peer_;
  const std::string text_;
  Explanation result_;
  NoClient client_;
  proxy::Shared shared_;
  proxy::Worker worker_{shared_, 1};
  h1::RequestCodec codec_;
  proxy::Exchange exchange_{worker_, client_};
};

}  // namespace

Explanation explain(const std::shared_ptr<const proxy::Snapshot>& snapshot, const Request& request, std::string_view peer, const Networks* trusted) {
  return Explainer(snapshot, request, peer, trusted).explain();
}

}  // namespace v0
}  // namespace gw
