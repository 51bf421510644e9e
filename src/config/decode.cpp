#include "config/decode.hpp"

#include "config/routes.hpp"
#include "config/stages.hpp"
#include "config/upstreams.hpp"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gw {
inline namespace v0 {
namespace config {
namespace {

// ---- listen, timeouts, limits ----

constexpr Key<ListenConfig> listen_keys[] = {
    {"address",
     [](const Value& v, ListenConfig& l) {
       l.place = v.place();
       read_checked(v, l.address, listen_mistake);
     }},
    {"trusted",
     [](const Value& v, ListenConfig& l) {
       v.each_of_one_or_more("a network or a list of networks", [&](const Value& item) {
         std::string network;
         read_checked(item, network, detail::network_mistake);
         if (!network.empty()) l.options.trusted.push_back(std::move(network));
       });
     }},
    {"tls"},
};

void read_listen(const Value& value, std::vector<ListenConfig>& out) {
  value.each_of_one_or_more("an address or a list of addresses", [&](const Value& item) {
    ListenConfig listen;
    listen.place = item.place();
    if (item.is_mapping()) {
      if (read_map(item, listen, listen_keys) && !item.has("address")) item.problem("address is missing");
    } else {
      read_checked(item, listen.address, listen_mistake);
    }
    if (!listen.address.empty()) out.push_back(std::move(listen));
  });
}

constexpr Key<Timeouts> timeouts_keys[] = {
    {"client_header", [](const Value& v, Timeouts& t) { read(v, t.client_header); }},
    {"client_idle", [](const Value& v, Timeouts& t) { read(v, t.client_idle); }},
    {"client_body", [](const Value& v, Timeouts& t) { read(v, t.client_body); }},
    {"client_write", [](const Value& v, Timeouts& t) { read(v, t.client_write); }},
    {"drain", [](const Value& v, Timeouts& t) { read(v, t.drain); }},
};

constexpr Key<Limits> limits_keys[] = {
    {"head", [](const Value& v, Limits& l) { read_size(v, l.head, bounds::head); }},
    {"fields", [](const Value& v, Limits& l) { read_number(v, l.fields, bounds::fields); }},
    {"target", [](const Value& v, Limits& l) { read_size(v, l.target, bounds::target); }},
    {"body", [](const Value& v, Limits& l) { read_size(v, l.body, bounds::body); }},
    {"trailers", [](const Value& v, Limits& l) { read_size(v, l.trailers, bounds::trailers); }},
    {"chunk_extensions", [](const Value& v, Limits& l) { read_size(v, l.chunk_extensions, bounds::chunk_extensions); }},
    {"connections", [](const Value& v, Limits& l) { read_number(v, l.connections, bounds::connections); }},
    {"connections_per_client", [](const Value& v, Limits& l) { read_number(v, l.connections_per_client, bounds::connections_per_client); }},
    {"requests_per_connection", [](const Value& v, Limits& l) { read_number(v, l.requests_per_connection, bounds::requests_per_connection); }},
    {"body_rate", [](const Value& v, Limits& l) { read_size(v, l.body_rate, bounds::byte_rate); }},
    {"write_rate", [](const Value& v, Limits& l) { read_size(v, l.write_rate, bounds::byte_rate); }},
};

void read_limits(const Value& value, Limits& out) {
  read_map(value, out, limits_keys);
  if (std::string what = limits_mistake(out); !what.empty()) value.problem(std::move(what));
}

// ---- the whole ----

constexpr Key<AdminConfig> admin_keys[] = {
    {"listen",
     [](const Value& v, AdminConfig& a) {
       a.place = v.place();
       read_checked(v, a.address, listen_mistake);
     }},
};

constexpr Key<Config> config_keys[] = {
    {"listen", [](const Value& v, Config& c) { read_listen(v, c.listen); }},
    {"workers",
     [](const Value& v, Config& c) {
       c.workers_place = v.place();
       read_number(v, c.workers, bounds::workers);
     }},
    {"timeouts", [](const Value& v, Config& c) { read_map(v, c.timeouts, timeouts_keys); }},
    {"limits", [](const Value& v, Config& c) { read_limits(v, c.limits); }},
    {"wrong_method", [](const Value& v, Config& c) { read_number(v, c.wrong_method, bounds::wrong_method); }},
    {"name_servers",
     [](const Value& v, Config& c) {
       c.name_servers.clear();
       v.each_of_one_or_more("an address or a list of addresses", [&](const Value& item) {
         std::string address;
         read_checked(item, address, name_server_mistake);
         if (!address.empty()) c.name_servers.push_back(std::move(address));
       });
     }},
    {"use", [](const Value& v, Config& c) { read_stages(v, c.use); }},
    {"upstreams", [](const Value& v, Config& c) { read_upstreams(v, c.upstreams); }},
    {"routes", [](const Value& v, Config& c) { read_routes(v, c.routes); }},
    {"admin",
     [](const Value& v, Config& c) {
       c.admin = {};
       if (read_map(v, c.admin, admin_keys) && !v.has("listen")) v.problem("listen is missing");
     }},
    {"tls"},
};

}  // namespace

void decode(const Value& root, Config& config) {
  if (root.is_mapping())
    read_map(root, config, config_keys);
  else
    root.expected("a map of settings such as listen and routes");
}

}  // namespace config
}  // namespace v0
}  // namespace gw
