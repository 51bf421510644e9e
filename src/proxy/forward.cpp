#include "proxy/forward.hpp"

#include <gw/hash.hpp>

#include "proxy/affinity.hpp"

namespace gw {
inline namespace v0 {
namespace proxy {

std::vector<Candidate> Forward::Split::candidates(const std::vector<Part>& parts) {
  std::vector<Candidate> all;
  for (const Part& part : parts) all.push_back({part.name, part.weight});
  return all;
}

const Forward* Forward::decided(const Context& c) const {
  if (!split_) return nullptr;
  if (split_->chosen_by)
    if (const auto wanted = value_of(*split_->chosen_by, c))
      for (const Split::Part& part : split_->parts)
        if (part.name == *wanted) return &part.forward;
  if (!split_->hash) return nullptr;
  const auto value = value_of(*split_->hash, c);
  if (!value) return nullptr;
  // The same draw for the same value.
  Random random(hash_of(*value));
  return &split_->parts[split_->draw.index(split_->draw.draw(random))].forward;
}

const Forward& Forward::choose(const Context& c, Random& random) const {
  if (!split_) return *this;
  if (const Forward* part = decided(c)) return *part;
  return split_->parts[split_->draw.index(split_->draw.draw(random))].forward;
}

}  // namespace proxy
}  // namespace v0
}  // namespace gw
