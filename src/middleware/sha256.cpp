#include "middleware/sha256.hpp"

#include <memory>
#include <stdexcept>

#include <openssl/crypto.h>
#include <openssl/evp.h>

namespace gw {
inline namespace v0 {
namespace detail {
namespace {

struct FreeMethod {
  void operator()(EVP_MD* md) const noexcept { EVP_MD_free(md); }
};
struct FreeState {
  void operator()(EVP_MD_CTX* state) const noexcept { EVP_MD_CTX_free(state); }
};

[[noreturn]] void refuse() { throw std::runtime_error("libcrypto cannot compute SHA-256"); }

/// A state that was begun once. Looking the algorithm up costs OpenSSL 3 more than hashing a short text, and one state
/// per thread needs no lock.
EVP_MD_CTX* begun_state() {
  static const std::unique_ptr<EVP_MD, FreeMethod> method(EVP_MD_fetch(nullptr, "SHA256", nullptr));
  thread_local const std::unique_ptr<EVP_MD_CTX, FreeState> state([] {
    std::unique_ptr<EVP_MD_CTX, FreeState> made(EVP_MD_CTX_new());
    if (!method || !made || EVP_DigestInit_ex2(made.get(), method.get(), nullptr) != 1) refuse();
    return made.release();
  }());
  return state.get();
}

}  // namespace

Digest sha256(std::string_view first, std::string_view second) {
  EVP_MD_CTX* const state = begun_state();
  Digest digest;
  const bool is_done = EVP_DigestInit_ex2(state, nullptr, nullptr) == 1 && EVP_DigestUpdate(state, first.data(), first.size()) == 1 &&
                       (second.empty() || EVP_DigestUpdate(state, second.data(), second.size()) == 1) &&
                       EVP_DigestFinal_ex(state, digest.data(), nullptr) == 1;
  if (!is_done) refuse();
  return digest;
}

bool is_equal(const void* a, const void* b, std::size_t size) noexcept { return CRYPTO_memcmp(a, b, size) == 0; }

}  // namespace detail
}  // namespace v0
}  // namespace gw
