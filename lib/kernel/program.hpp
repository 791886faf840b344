#pragma once

#include "lib/base/clock.hpp"
#include "lib/base/error.hpp"

#include <string>
#include <vector>

namespace lodge::kernel {

struct Program {
    std::string path;                     ///< absolute, or a name to search in kProgramPath
    std::vector<std::string> arguments;   ///< without argv[0]
    std::vector<std::string> environment; ///< "KEY=value", beside PATH and LC_ALL=C.UTF-8
    std::string input;                    ///< given on stdin; empty: /dev/null
    int input_fd = -1;                    ///< stdin instead of `input`; not closed
    Deadline deadline;                    ///< after it: SIGKILL to the process group
    int cancel_fd = -1;                   ///< readable means: kill it and return `cancelled`
    bool judged = false; ///< the caller judges the exit code: a non-zero one is no error
};

struct ProgramOutput {
    std::string standard_output; ///< at most 1 MiB of it
    std::string standard_error;  ///< the last 16 KiB
    int exit_code = 0;           ///< non-zero only for a `judged` program
};

/// PATH of every program that Lodge runs.
inline constexpr const char* kProgramPath = "/usr/sbin:/usr/bin:/sbin:/bin";

/// Runs a program and waits for it: without a shell, in its own process group, with all descriptors
/// but 0-2 closed. A non-zero exit, a signal or the deadline is an error that carries the program's
/// stderr. Thread-safe; no process of the program's group is left when it returns.
[[nodiscard]] Result<ProgramOutput> run_program(const Program& program);

} // namespace lodge::kernel
