#pragma once

#include "lib/base/error.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <utility>

namespace lodge::daemon {

/// A cached value, kept until its source changes. Each writer of the source holds a Change.
/// Thread-safe.
template <typename T>
class KeptWhileUnchanged {
  public:
    /// The kept value, or the one that `read` returns. The latter is kept, unless a change was
    /// under way at any moment of the reading: it may be older than the next caller may expect.
    [[nodiscard]] Result<T> get(const std::function<Result<T>()>& read) {
        const auto [kept, changes] = look();
        if (kept) {
            return *kept;
        }
        ASSIGN_OR_RETURN(T value, read());
        keep(std::make_shared<const T>(value), changes);
        return value;
    }

    /// A writer holds it from before the change until the change is done or has failed.
    class Change {
      public:
        explicit Change(KeptWhileUnchanged& of) : of_(of) {
            const std::lock_guard guard(of_.mutex_);
            ++of_.under_way_;
            of_.kept_.reset();
        }
        ~Change() {
            const std::lock_guard guard(of_.mutex_);
            --of_.under_way_;
            ++of_.changes_;
        }
        Change(const Change&) = delete;
        Change& operator=(const Change&) = delete;

      private:
        KeptWhileUnchanged& of_;
    };

  private:
    using Kept = std::shared_ptr<const T>; // the copy needs no lock

    [[nodiscard]] std::pair<Kept, std::uint64_t> look() {
        const std::lock_guard guard(mutex_);
        return {kept_, changes_};
    }
    void keep(Kept value, std::uint64_t changes_before) {
        const std::lock_guard guard(mutex_);
        if (under_way_ == 0 && changes_ == changes_before) {
            kept_ = std::move(value);
        }
    }

    std::mutex mutex_; // protects all below
    Kept kept_;
    int under_way_ = 0;
    std::uint64_t changes_ = 0; // ended ones
};

} // namespace lodge::daemon
