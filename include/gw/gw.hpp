/// \file
/// Level 5: all of gw, in the order in which it is best read.
#pragma once

#include <gw/version.hpp>

#include <gw/error.hpp>

#include <gw/http.hpp>
#include <gw/network.hpp>
#include <gw/body.hpp>
#include <gw/message.hpp>
#include <gw/path.hpp>
#include <gw/router.hpp>
#include <gw/regex.hpp>
#include <gw/route_tree.hpp>
#include <gw/shadowed_routes.hpp>

#include <gw/context.hpp>
#include <gw/middleware.hpp>
#include <gw/metrics.hpp>

#include <gw/upstream.hpp>
#include <gw/config.hpp>
#include <gw/explain.hpp>
#include <gw/gateway.hpp>
#include <gw/blocking.hpp>
#include <gw/event.hpp>

#include <gw/middleware/access_log.hpp>
#include <gw/middleware/basic_auth.hpp>
#include <gw/middleware/body_limit.hpp>
#include <gw/middleware/cors.hpp>
#include <gw/middleware/headers.hpp>
#include <gw/middleware/ip_filter.hpp>
#include <gw/middleware/key_auth.hpp>
#include <gw/middleware/rate_limit.hpp>
#include <gw/middleware/request_id.hpp>
