#pragma once

#include <sys/resource.h>

namespace lodge::test {

/// During its life this process can open only `count` more descriptors; then open(2) fails with
/// EMFILE. For tests with one thread.
class FewDescriptors {
  public:
    explicit FewDescriptors(unsigned count);
    ~FewDescriptors();
    FewDescriptors(const FewDescriptors&) = delete;
    FewDescriptors& operator=(const FewDescriptors&) = delete;

  private:
    rlimit before_{};
};

/// Calls `look` with no free descriptor, then with one, two and so on, up to a number that is
/// enough. Each call must fail or return the result that it has with enough descriptors: `look`
/// must not take a file that it cannot open for a missing one. `look` returns a Result of a type
/// that can be compared. Returns the number of failures; -1 after a different result.
template <typename Look>
int count_honest_failures(const Look& look) {
    constexpr unsigned kPlenty = 24;
    const auto truth = look();
    int failures = 0;
    for (unsigned count = 0; count < kPlenty; ++count) {
        auto told = [&] {
            const FewDescriptors few(count);
            return look();
        }();
        if (!told) {
            ++failures;
        } else if (!truth || *told != *truth) {
            return -1;
        }
    }
    return failures;
}

} // namespace lodge::test
