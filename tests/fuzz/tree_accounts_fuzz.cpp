#include "daemon/containers/seed_tree.hpp"
#include "tests/fuzz/fuzz.hpp"

#include <algorithm>

// The account files of a template that came from anywhere.
FUZZ_TARGET(tree_accounts)(const std::uint8_t* data, std::size_t size) {
    using lodge::test::must;
    const std::string text(lodge::test::as_text(data, size));
    const std::string hash = "$y$hash";
    if (const auto shadow = lodge::daemon::with_password(text, "root", hash)) {
        must(shadow->find("root:" + hash + ":") != std::string::npos);
        // No line more than there was: a password must not bring an account.
        must(std::count(shadow->begin(), shadow->end(), '\n') <=
             std::count(text.begin(), text.end(), '\n') + 1);
    }
    const std::string home = lodge::daemon::home_of(text, "root");
    must(home.starts_with('/'));
    must((home + "/").find("/../") == std::string::npos);
    return 0;
}
