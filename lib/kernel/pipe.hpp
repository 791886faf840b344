#pragma once

#include "lib/base/error.hpp"
#include "lib/base/unique_fd.hpp"

namespace lodge::kernel {

struct Pipe {
    UniqueFd reader;
    UniqueFd writer;
};
/// pipe2(2) with O_CLOEXEC.
[[nodiscard]] Result<Pipe> make_pipe();

} // namespace lodge::kernel
