/// \file
/// Objects that live as long as somebody uses them, found by name.
#pragma once

#include <algorithm>
#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace gw {
inline namespace v0 {
namespace proxy {

/// Finds an object that is in use, so that it survives a reload, or makes it. Thread-safe.
template <class T>
class Registry {
 public:
  /// The object of this name, made of `arguments` if nobody uses one.
  template <class... Arguments>
  std::shared_ptr<T> find(const std::string& name, const Arguments&... arguments) {
    const std::lock_guard lock(mutex_);
    // Seldom, so that many names cost no more each than few.
    if (objects_.size() >= forget_at_) {
      std::erase_if(objects_, [](const auto& entry) { return entry.second.expired(); });
      forget_at_ = std::max<std::size_t>(first_forget, 2 * objects_.size());
    }
    std::weak_ptr<T>& known = objects_[name];
    std::shared_ptr<T> object = known.lock();
    if (!object) known = object = std::make_shared<T>(arguments...);
    return object;
  }

  /// Calls `f` for each that is in use.
  template <class F>
  void each(F&& f) {
    std::vector<std::shared_ptr<T>> all;
    {
      const std::lock_guard lock(mutex_);
      for (const auto& entry : objects_)
        if (auto object = entry.second.lock()) all.push_back(std::move(object));
    }
    for (const std::shared_ptr<T>& object : all) f(*object);
  }

 private:
  static constexpr std::size_t first_forget = 64;

  std::mutex mutex_;
  std::map<std::string, std::weak_ptr<T>> objects_;
  std::size_t forget_at_ = first_forget;
};

}  // namespace proxy
}  // namespace v0
}  // namespace gw
