#include "daemon/monitor/accounts.hpp"
#include "tests/fuzz/fuzz.hpp"

#include <algorithm>

// A container's /etc/passwd and /etc/group, which its tenant writes: user, passwd and group, each
// up to a zero byte.
FUZZ_TARGET(accounts)(const std::uint8_t* data, std::size_t size) {
    std::string_view rest = lodge::test::as_text(data, size);
    const auto take = [&rest] {
        const std::string_view taken = rest.substr(0, rest.find('\0'));
        rest.remove_prefix(std::min(rest.size(), taken.size() + 1));
        return taken;
    };
    const std::string_view user = take();
    const std::string_view passwd = take();
    if (const auto account = lodge::monitor::find_account(user, passwd, rest)) {
        lodge::test::must(account->user <= 65535 && account->group <= 65535);
        lodge::test::must(!account->groups.empty() && account->groups.size() <= 256);
        lodge::test::must(!account->home.empty() && !account->shell.empty());
    }
    return 0;
}
