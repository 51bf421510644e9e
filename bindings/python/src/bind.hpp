/// \file
/// What the parts of the extension module share.
#pragma once

#include <gw/http.hpp>

#include <nanobind/nanobind.h>

#include <string>
#include <string_view>

namespace gw_python {

/// The text of a `str`, as UTF-8, or the bytes of `bytes`; `what` it is, for the message.
std::string text_of(nanobind::handle bytes_or_str, const char* what);

/// The fields that an iterable of pairs of `str` or `bytes` gives. Text is Latin-1, as everywhere in Python's HTTP; `ValueError` if it
/// cannot be, or if something is no field.
gw::Headers fields_of(nanobind::handle pairs);

/// Pairs of `str` that are `fields`, a range of pairs.
template <class Fields>
nanobind::list pairs_of(const Fields& fields) {
  const auto text = [](std::string_view t) { return nanobind::steal<nanobind::str>(PyUnicode_DecodeLatin1(t.data(), static_cast<Py_ssize_t>(t.size()), nullptr)); };
  nanobind::list all;
  for (const auto& [name, value] : fields) all.append(nanobind::make_tuple(text(name), text(value)));
  return all;
}

/// Adds `Call` and `Queue` to the module.
void bind_calls(nanobind::module_& m);

}  // namespace gw_python
