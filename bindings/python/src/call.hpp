/// \file
/// A request at one stage or handler of Python: a copy of what Python may ask about it, and how the two talk about it. Workers wait for
/// nothing but what Python says; no thread of Python touches what a worker owns.
#pragma once

#include "link.hpp"
#include "queue.hpp"

#include <gw/gw.hpp>

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <memory_resource>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gw_python {

/// Python asks about a request that is over, or says what it may not say now.
struct CallError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// The content of a message could not be read; `status` is what a client gets who is to blame for it.
struct ContentError : CallError {
  explicit ContentError(const gw::Failure& why) : CallError(why.code.message()), status(gw::status_of(why.code)) {}
  int status;
};

/// How a handler reads the content of its request.
enum class Reading : std::uint8_t {
  whole,  ///< it is there before the handler is called
  pieces  ///< the handler asks for it
};

/// See above. The worker fills it and hands it to one thread of Python, which says one thing; then it is the worker's again.
class Call : public std::enable_shared_from_this<Call> {
 public:
  /// Content that is read whole has at most so many bytes.
  static constexpr std::size_t longest_content = 64 * 1024 * 1024;

  using Field = std::pair<std::string_view, std::string_view>;

  /// What is asked. Views of `memory_`.
  struct Asked {
    std::string_view method, target, path, query, authority, route, id, client_address, peer_address, client_scheme, consumer;
    std::pmr::vector<Field> headers, params;
    std::int64_t elapsed = 0;  ///< nanoseconds since the request began, when it came here
    int minor_version = 1;     ///< of HTTP/1
    bool is_peer_trusted = false;
  };
  /// What became of the request, for `done`, and what the response is like, for stages.
  struct Outcome {
    int status = 0;
    std::vector<std::pair<std::string, std::string>> headers;
    std::uint64_t bytes_sent = 0, bytes_received = 0;
    bool is_complete = false;
  };
  /// What a stage has changed.
  struct Edits {
    std::optional<gw::Headers> request_headers, response_headers;
    std::optional<int> status;
    std::optional<std::string> consumer, id;
  };

  /// For `make`: copies what Python may ask. `queue` gets what there is to do for this call. Without a link it is about a request that is over.
  Call(const gw::Context& c, std::shared_ptr<Link> link, std::shared_ptr<Queue> queue);

  /// A call like that. Its memory is used again.
  static std::shared_ptr<Call> make(const gw::Context& c, std::shared_ptr<Link> link, std::shared_ptr<Queue> queue);

  // --- Python, any thread. All throw CallError if the request is over. -----------------------------------

  const Asked& asked() const { return expect_going_on(), asked_; }
  const Outcome& outcome() const { return expect_going_on(), outcome_; }
  /// The number of the request.
  std::size_t number() const noexcept { return link_ ? link_->number() : 0; }
  bool is_over() const noexcept { return has_ended_ || (!is_record_ && link_ && link_->is_over()); }
  /// Whether nobody waits for the response any more.
  bool is_gone() const noexcept { return is_gone_ || is_over(); }
  /// Python keeps something for the request until `Item::over`.
  void keep();
  /// After `done`: no more questions.
  void end() noexcept { has_ended_ = true; }

  /// One of these four, once for each time that the call is handed over.
  /// Answers.
  void reply(gw::Response response);
  /// Lets the request fail.
  void fail();
  /// Stages: goes on to the next one; `number` is resumed when there is a response. With `is_last` it is not: the stage is done with it.
  void next(Edits edits, std::size_t number, bool is_last);
  /// Stages: is done with the response.
  void leave(Edits edits);

  /// Whether all content of the request is here already; then `content` is it.
  bool has_content() const noexcept { return has_content_; }
  const std::string& content() const { return expect_going_on(), content_; }
  /// Asks for the next piece of the content, or for the whole rest of it; `number` is resumed when it is there. One at a time, and by a
  /// stage before it goes on: then the content is for those behind.
  void read(bool whole, std::size_t number);
  /// The same for the whole content of the response, after `next`.
  void read_response(std::size_t number);
  /// What came of that. Empty: the content has ended.
  gw::Result<std::string> take_piece();
  /// The same, for threads: waits for it.
  gw::Result<std::string> read_now(bool whole);

  /// One of these, once for each time that a piece of the response is pulled.
  void give(std::string piece);
  /// The response ends, or is cut.
  void finish(bool is_whole);

  /// Nobody will do `item`, which was about this call.
  void abandon(const Item& item);

  // --- the worker --------------------------------------------------------------------------------------

  enum class Said : std::uint8_t { nothing, reply, fail, next, pass, leave };

  /// Hands the call over and waits for what Python says.
  gw::Task<Said> ask(Item::Kind kind, std::size_t number);
  /// Tells Python that what it asked for is there, and waits for what it says then.
  gw::Task<Said> resume();
  /// The next piece of the response from stream `stream` of `queue`; empty at the end, nothing if it is cut.
  gw::Task<std::optional<std::string>> pull(std::size_t stream, Queue& queue);
  /// Nobody reads on: makes a `pull` end.
  void cancel();
  /// Tells Python to do something that nobody waits for.
  bool tell(Item::Kind kind, std::size_t number) { return queue_->push({kind, number, shared_from_this()}, link_ ? &link_->worker() : nullptr); }
  /// Waits until nothing is read any more of what Python asked for: then bodies may be replaced.
  gw::Task<> settle();
  /// Nobody waits for the response any more: tells Python.
  void set_gone() { is_gone_ = true, tell(Item::Kind::gone, 0); }
  /// This call is that of a stage, which may read while it has its turn.
  void set_stage() noexcept { is_stage_ = true; }
  /// This call is about a request that is over.
  void set_record() noexcept { is_record_ = true; }
  void set_content(std::string content) { content_ = std::move(content), has_content_ = true; }
  /// Takes over what there is of the content without waiting.
  void take_ready_content(gw::Body& body);
  /// What the response is like.
  void set_outcome(const gw::Context& c);
  /// What Python said.
  gw::Response& response() noexcept { return response_; }
  const Edits& edits() const noexcept { return edits_; }
  /// Why the content could not be read, if so.
  const std::optional<gw::Failure>& read_failure() const noexcept { return read_failure_; }

 private:
  void expect_going_on() const;
  void expect_turn();
  void say(Said said);
  void answer_pull(std::optional<std::string> piece);
  void start_reading(void (*begin)(Call&, gw::Context*), bool is_response, bool is_waited_for, std::size_t number);
  template <bool is_response, bool whole>
  static void begin_reading(Call& self, gw::Context* c);
  void post(void (*what)(Call&, gw::Context*)) { link_->post({what, shared_from_this()}); }
  gw::Task<> read_content(gw::Context& c, bool is_response, bool whole);
  void deliver(gw::Result<std::string> piece);

  // What most requests ask has room here.
  std::array<char, 1024> room_;
  std::pmr::monotonic_buffer_resource memory_{room_.data(), room_.size()};
  Asked asked_;
  Outcome outcome_;
  const std::shared_ptr<Link> link_;
  const std::shared_ptr<Queue> queue_;
  bool is_record_ = false, is_stage_ = false;
  std::atomic<bool> has_ended_ = false, is_gone_ = false;

  // What Python says. Written before a post to the worker, and read behind it.
  std::atomic<bool> is_with_python_ = false, has_gone_on_ = false;
  Said said_ = Said::nothing;
  gw::Response response_;
  Edits edits_;
  std::size_t next_number_ = 0;
  // The worker's.
  bool is_answered_ = false;
  gw::Event answered_;

  // The content of the request, or of the response.
  bool has_content_ = false;
  std::string content_;
  std::optional<gw::Failure> read_failure_;
  std::atomic<std::size_t> read_number_ = 0;
  std::atomic<bool> is_waited_for_ = false;  // by a thread
  std::atomic<bool> is_read_wanted_ = false;
  int readers_ = 0;                        // the worker's
  gw::Event read_ended_;
  std::mutex mutex_;                       // of what follows
  std::condition_variable delivered_;
  std::optional<gw::Result<std::string>> piece_;

  // The response, piece by piece. The first is Python's, written before a post; the others are the worker's.
  std::atomic<bool> is_pulled_ = false;
  std::optional<std::string> pulled_;
  bool is_pull_answered_ = false;
  bool is_cancelled_ = false;
  gw::Event pull_answered_;
};

/// A handler of a gateway that Python answers: number `number` of those of `queue`. `loop` is the queue of the event loop.
gw::Handler python_handler(std::size_t number, Reading reading, std::shared_ptr<Queue> queue, std::shared_ptr<Queue> loop);

/// A stage that Python runs on its event loop. `has_done`: it wants to know when a request is over, and what became of it.
gw::Stage python_stage(std::string name, std::size_t number, bool is_around, bool has_done, std::shared_ptr<Queue> loop);

/// Content that Python has piece by piece, for the response of `call`, from stream `stream` of `queue`; `size`: how much, if that is known.
gw::Body python_body(std::shared_ptr<Call> call, std::size_t stream, std::shared_ptr<Queue> queue, std::optional<std::uint64_t> size);

}  // namespace gw_python
