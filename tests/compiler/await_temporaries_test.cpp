/// \file
/// Shows a bug of GCC 12 and that gw's rules avoid it: a temporary aggregate, or a lambda that captures by value,
/// inside a `co_await` expression is destroyed once more than it was made. Such types are named first; a class with a
/// constructor may be a temporary, which is why `Request` and `Response` are classes. And another one: what stands behind `||` in the
/// condition of a loop is awaited whatever stands before it. Such a `co_await` gets a statement of its own.
///
/// Passes on every compiler on which the rules are safe, and says whether this one has the bug. It counts lives: with
/// a real `std::string` in the aggregate the program would free memory that it does not own.
#include <gw/task.hpp>

#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/io_context.hpp>

#include <cstdio>
#include <utility>

namespace {

/// Counts how many of its kind are alive; stands for a member that owns memory.
class Life {
 public:
  Life() noexcept { ++alive; }
  Life(const Life&) noexcept { ++alive; }
  ~Life() { --alive; }
  static inline int alive = 0;
};

struct Aggregate {
  Life life;
};

class Class {
 public:
  explicit Class(Life life) noexcept : life_(life) {}

 private:
  Life life_;
};

template <class T>
gw::Task<> take(T) {
  co_return;
}

gw::Task<> pass_temporary_aggregate() { co_await take(Aggregate{Life()}); }
gw::Task<> pass_temporary_lambda() {
  Life life;
  co_await take([life] { static_cast<void>(life); });
}
gw::Task<> pass_named_aggregate() {
  Aggregate aggregate{Life()};
  co_await take(std::move(aggregate));
}
gw::Task<> pass_named_lambda() {
  Life life;
  auto lambda = [life] { static_cast<void>(life); };
  co_await take(std::move(lambda));
}
gw::Task<> pass_temporary_class() { co_await take(Class(Life())); }

/// Leaves a life behind: it must not be awaited.
gw::Task<bool> never() {
  ++Life::alive;
  co_return true;
}
gw::Task<> await_in_condition() {
  bool is_true = true;
  for (int i = 0; is_true || co_await never();)
    if (++i == 2) break;
}
gw::Task<> await_in_statement() {
  bool is_true = true;
  for (int i = 0;;) {
    if (!is_true) is_true = co_await never();
    if (++i == 2) break;
  }
}

struct Case {
  const char* name;
  gw::Task<> (*run)();
  bool is_rule;  ///< gw relies on it
};

constexpr Case cases[] = {
    {"a temporary aggregate", pass_temporary_aggregate, false},
    {"a temporary lambda that captures", pass_temporary_lambda, false},
    {"a named aggregate", pass_named_aggregate, true},
    {"a named lambda that captures", pass_named_lambda, true},
    {"a temporary of a class with a constructor", pass_temporary_class, true},
    {"it behind || in the condition of a loop", await_in_condition, false},
    {"it in a statement of its own", await_in_statement, true},
};

}  // namespace

int main() {
  bool has_bug = false;
  bool is_safe = true;
  for (const Case& c : cases) {
    Life::alive = 0;
    asio::io_context context;
    asio::co_spawn(context, c.run(), asio::detached);
    context.run();
    const bool is_right = Life::alive == 0;
    std::printf("co_await with %s: %s\n", c.name, is_right ? "right" : "wrong");
    has_bug = has_bug || !is_right;
    is_safe = is_safe && (is_right || !c.is_rule);
  }
  std::printf("this compiler %s\n", has_bug ? "has the bug; gw's rules avoid it" : "does not have the bug");
  return is_safe ? 0 : 1;
}
