#pragma once

#include <string>
#include <vector>

/// What holds a process in the kernel: each is a command of the guest program that says "hung" once
/// it hangs.
namespace guest {

/// Mounts a FUSE filesystem at the given directory whose server takes one request and answers no
/// more. Who waits for the answer shares the server's table of files: no death of the server breaks
/// the connection, and not even SIGKILL ends the wait.
int run_hang_in_fuse(const std::vector<std::string>& arguments);
/// So many times asks to be traced by its parent and raises the given signal; then ends with 7.
int run_trace_me(const std::vector<std::string>& arguments);
/// Waits in vfork(2) for a child that is stopped.
int run_hang_in_vfork(const std::vector<std::string>& arguments);

} // namespace guest
