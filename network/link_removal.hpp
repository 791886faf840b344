#pragma once

#include "lib/base/error.hpp"

#include <string>

namespace lodge::network {

/// Removes a link and returns as soon as its name is free, which takes 1 to 3 ms. The kernel then
/// waits for 15 to 35 ms more, without holding rtnetlink's lock, until nobody can look at the
/// device any more (netdev_run_todo, rcu_barrier): a thread that ends by itself waits there for us.
/// Success when there is no such link. Thread-safe; the link is of the calling thread's network
/// namespace.
[[nodiscard]] Status remove_link_early(const std::string& name);

} // namespace lodge::network
