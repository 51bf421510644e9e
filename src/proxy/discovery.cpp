#include "proxy/discovery.hpp"

#include "proxy/worker.hpp"

#include <gw/error.hpp>

#include <asio/ip/address.hpp>
#include <asio/post.hpp>

#include <algorithm>
#include <cstdint>
#include <utility>

namespace gw {
inline namespace v0 {
namespace proxy {

namespace {

using Kind = detail::EndpointAddress::Kind;

// With both weights at their largest the shares of a slow start would not fit.
constexpr std::uint64_t largest_weight = 10'000'000;

std::optional<net::Question> question_of(const detail::EndpointAddress& address) {
  if (address.kind == Kind::service) return net::Question{address.name, true};
  if (address.kind == Kind::path || detail::is_ipv4(address.name) || detail::is_ipv6(address.name)) return std::nullopt;
  return net::Question{address.name, false};
}

unsigned product(unsigned configured, const net::Target& target) {
  return static_cast<unsigned>(std::min<std::uint64_t>(std::uint64_t{configured} * target.weight, largest_weight));
}

}  // namespace

Discovery::Discovery(std::string upstream, Shared& shared, std::shared_ptr<net::Dns> dns, Changed changed)
    : upstream_(std::move(upstream)), shared_(shared), dns_(std::move(dns)), changed_(std::move(changed)) {}

Discovery::~Discovery() {
  watches_.clear();  // nothing is told after this, which would use what is destroyed next
  GW_ASSERT(waiting_.empty());
}

void Discovery::set(const std::vector<EndpointOptions>& endpoints, Discovery* before) {
  std::map<net::Question, Known> learnt;
  if (before) {
    const std::lock_guard lock(before->mutex_);
    learnt = before->known_;
  }
  Watches old;  // ends without the mutex, which an answer on its way may be waiting for
  const std::lock_guard lock(mutex_);
  learnt.insert(known_.begin(), known_.end());
  sources_.clear();
  known_.clear();
  for (const EndpointOptions& endpoint : endpoints) {
    std::optional<detail::EndpointAddress> address = detail::parse_endpoint(endpoint.address);
    GW_ASSERT(address.has_value());
    std::optional<net::Question> question = question_of(*address);
    if (question) known_.emplace(*question, learnt[*question]);
    sources_.push_back({std::move(*address), endpoint.weight, std::move(question)});
  }
  if (is_following_) old = renew_watches();
  tell();
}

void Discovery::follow() {
  const std::lock_guard lock(mutex_);
  if (std::exchange(is_following_, true)) return;
  renew_watches();
}

// Watches what is configured, and returns the watches of what is no more.
Discovery::Watches Discovery::renew_watches() {
  Watches old = std::exchange(watches_, {});
  for (const auto& [question, known] : known_) {
    if (auto kept = old.extract(question)) {
      watches_.insert(std::move(kept));
      continue;
    }
    watches_.emplace(question, dns_->watch(question, [this, q = question](std::shared_ptr<const net::Answer> answer) { answered(q, std::move(answer)); }));
  }
  return old;
}

void Discovery::answered(const net::Question& question, std::shared_ptr<const net::Answer> answer) {
  const std::lock_guard lock(mutex_);
  const auto found = known_.find(question);
  if (found == known_.end()) return;  // not configured any more
  Known& known = found->second;
  if (!answer && !known.answer && !known.is_looked_up)
    shared_.log(LogLevel::warning, "upstream " + upstream_ + ": " + question.name + " cannot be looked up; it has no endpoint until it can");
  known.is_looked_up = true;
  // Another configuration may have known more than the first look-up of this one could find.
  const bool is_news = answer && (!known.answer || *known.answer != *answer);
  if (is_news) known.answer = std::move(answer);
  if (is_news) tell();
  for (const std::shared_ptr<Waiter>& waiter : std::exchange(waiting_, {}))
    asio::post(waiter->worker, [waiter] {
      if (waiter->event) waiter->event->notify();
    });
}

std::vector<Discovery::Share> Discovery::shares() const {
  std::vector<Share> shares;
  for (const Source& source : sources_) {
    if (!source.question) {
      shares.push_back({shared_.endpoints.find(source.address), source.weight});
    } else if (const auto& answer = known_.find(*source.question)->second.answer) {
      for (const net::Target& target : *answer) shares.push_back({shared_.endpoints.find(source.address, &target), product(source.weight, target)});
    }
  }
  // A service whose answer is empty has said that it is gone (RFC 2782).
  if (shares.empty()) {
    const auto unknown = std::find_if(sources_.begin(), sources_.end(), [&](const Source& s) { return s.weight > 0 && !known_.find(*s.question)->second.answer; });
    if (unknown != sources_.end()) shares.push_back({shared_.endpoints.find(unknown->address), unknown->weight});
  }
  return shares;
}

bool Discovery::is_pending() const {
  return is_following_ && std::any_of(known_.begin(), known_.end(), [](const auto& entry) { return !entry.second.is_looked_up; });
}

std::shared_ptr<Discovery::Waiter> Discovery::wait(asio::io_context& worker, net::Event& event) {
  const std::lock_guard lock(mutex_);
  if (!is_pending()) return nullptr;
  return waiting_.emplace_back(std::make_shared<Waiter>(Waiter{worker, &event}));
}

void Discovery::settle(const std::shared_ptr<Waiter>& waiter) {
  const std::lock_guard lock(mutex_);
  std::erase(waiting_, waiter);
  waiter->event = nullptr;
}

}  // namespace proxy
}  // namespace v0
}  // namespace gw
