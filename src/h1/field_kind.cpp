#include "h1/field_kind.hpp"

#include "h1/words.hpp"

namespace gw {
inline namespace v0 {
namespace h1 {

// Every field of every message is asked here, several times.
FieldKind kind_of(std::string_view field) noexcept {
  const char* const name = field.data();
  switch (field.size()) {
    case 2: return begins_with(name, "te") ? FieldKind::te : FieldKind::end_to_end;
    case 3: return begins_with(name, "via") ? FieldKind::via : FieldKind::end_to_end;
    case 4: return begins_with(name, "host") ? FieldKind::host : begins_with(name, "date") ? FieldKind::date : FieldKind::end_to_end;
    case 5: return begins_with(name, "proxy") ? FieldKind::hop_by_hop : FieldKind::end_to_end;
    case 6: return begins_with(name, "expect") ? FieldKind::expect : FieldKind::end_to_end;
    case 7: return begins_with(name, "upgrade") ? FieldKind::upgrade : FieldKind::end_to_end;
    case 9: return begins_with(name, "forwarded") ? FieldKind::forwarded : FieldKind::end_to_end;
    case 10: return begins_with(name, "connection") ? FieldKind::connection : begins_with(name, "keep-alive") ? FieldKind::hop_by_hop : FieldKind::end_to_end;
    case 14:
      if (begins_with(name, "content-length")) return FieldKind::content_length;
      if (begins_with(name, "http2-settings")) return FieldKind::hop_by_hop;
      break;
    case 16:
      if (begins_with(name, "proxy-connection")) return FieldKind::hop_by_hop;
      break;
    case 17:
      if (begins_with(name, "transfer-encoding")) return FieldKind::transfer_encoding;
      break;
    default: break;
  }
  return field.size() >= 12 && begins_with(name, "x-forwarded-") ? FieldKind::forwarded : FieldKind::end_to_end;
}

}  // namespace h1
}  // namespace v0
}  // namespace gw
