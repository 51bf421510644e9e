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

// Products of two weights may be larger than a slow start can divide.
constexpr std::uint64_t largest_weight = 10'000'000;

std::optional<net::Question> question_of(const detail::EndpointAddress& address) {
  if (address.kind == Kind::service) return net::Question{address.name, true};
  if (address.kind == Kind::path || detail::is_ipv4(address.name) || detail::is_ipv6(address.name)) return std::nullopt;
  return net::Question{address.name, false};
}

}  // namespace

Discovery::Discovery(std::string upstream, Shared& shared, std::shared_ptr<net::Dns> dns, Changed changed)
    : upstream_(std::move(upstream)), shared_(shared), dns_(std::move(dns)), changed_(std::move(changed)) {}

Discovery::~Discovery() {
  watches_.clear();  // nothing is told after this, which would use what is destroyed next
  GW_ASSERT(waiting_.empty());
}

void Discovery::set(const std::vector<EndpointOptions>& endpoints, Discovery* before, bool are_first) {
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
    if (question) known_.emplace(*question, learnt[*question]).first->second.is_from_start |= are_first;
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
  bool is_in_vain = false;
  {
    const std::lock_guard lock(mutex_);
    const auto found = known_.find(question);
    if (found == known_.end()) return;  // not configured any more
    Known& known = found->second;
    is_in_vain = !answer && !known.answer && !known.is_looked_up;
    known.is_looked_up = true;
    // Another configuration may have known more than the first look-up of this one could find.
    const bool is_news = answer && (!known.answer || *known.answer != *answer);
    const bool is_from_start = !known.answer && known.is_from_start;
    if (is_news) known.answer = std::move(answer);
    if (is_news) tell(is_from_start ? &question : nullptr);
    else if (!is_pending()) wake();
  }
  if (is_in_vain) shared_.log(LogLevel::warning, "upstream " + upstream_ + ": " + question.name + " cannot be looked up; it is no endpoint until it can");
}

void Discovery::tell(const net::Question* from_start) {
  std::vector<Share> all = shares(from_start);
  has_endpoint_ = std::any_of(all.begin(), all.end(), [](const Share& share) { return share.weight > 0 && share.endpoint->address; });
  changed_(std::move(all));
  if (has_endpoint_ || !is_pending()) wake();
}

void Discovery::wake() {
  for (const std::shared_ptr<Waiter>& waiter : std::exchange(waiting_, {}))
    asio::post(waiter->worker, [waiter] {
      if (waiter->event) waiter->event->notify();
    });
}

// `from_start`: who answers to this name has been there all the time.
std::vector<Discovery::Share> Discovery::shares(const net::Question* from_start) const {
  std::vector<Share> shares;
  std::vector<std::uint64_t> weights;
  const auto add = [&](std::shared_ptr<Endpoint> endpoint, std::uint64_t weight, bool is_from_start) {
    shares.push_back({std::move(endpoint), 0, is_from_start});
    weights.push_back(weight);
  };
  for (const Source& source : sources_) {
    if (!source.question) {
      add(shared_.endpoints.find(source.address), source.weight, false);
    } else if (const auto& answer = known_.find(*source.question)->second.answer) {
      for (const net::Target& target : *answer)
        add(shared_.endpoints.find(source.address, &target), std::uint64_t{source.weight} * target.weight, from_start && *from_start == *source.question);
    }
  }
  const std::uint64_t largest = weights.empty() ? 0 : *std::max_element(weights.begin(), weights.end());
  for (std::size_t i = 0; i < shares.size(); ++i) {
    std::uint64_t weight = weights[i];
    if (largest > largest_weight && weight > 0) weight = std::max<std::uint64_t>(1, weight * largest_weight / largest);
    shares[i].weight = static_cast<unsigned>(weight);
  }
  // A service whose answer is empty has said that it is gone (RFC 2782): then nobody waits.
  if (largest == 0) {
    const auto unknown = std::find_if(sources_.begin(), sources_.end(), [&](const Source& s) {
      return s.question && s.weight > 0 && !known_.find(*s.question)->second.answer;
    });
    if (unknown != sources_.end()) shares.push_back({shared_.endpoints.find(unknown->address), unknown->weight});
  }
  return shares;
}

bool Discovery::is_pending() const {
  return is_following_ && std::any_of(known_.begin(), known_.end(), [](const auto& entry) { return !entry.second.is_looked_up; });
}

std::shared_ptr<Discovery::Waiter> Discovery::wait(asio::io_context& worker, Event& event) {
  const std::lock_guard lock(mutex_);
  if (has_endpoint_ || !is_pending()) return nullptr;
  return waiting_.emplace_back(std::make_shared<Waiter>(Waiter{worker, &event}));
}

bool Discovery::settle(const std::shared_ptr<Waiter>& waiter) {
  const std::lock_guard lock(mutex_);
  std::erase(waiting_, waiter);
  waiter->event = nullptr;
  return has_endpoint_;
}

}  // namespace proxy
}  // namespace v0
}  // namespace gw
