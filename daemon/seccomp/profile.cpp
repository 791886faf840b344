#include "daemon/seccomp/profile.hpp"

#include "daemon/seccomp/calls.hpp"
#include "lib/base/unique_fd.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <string>

#include <seccomp.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

namespace lodge::daemon {

namespace {

struct FilterRelease {
    void operator()(void* filter) const { seccomp_release(filter); }
};
using Filter = std::unique_ptr<void, FilterRelease>;

// libseccomp returns a negated errno.
Status check(int rc, std::string_view what) {
    if (rc < 0) {
        return fail_errno("libseccomp", what, -rc);
    }
    return {};
}

// A name that this libseccomp does not know cannot be filtered; left out, it meets the default,
// ENOSYS.
int number_of(std::string_view name) {
    return seccomp_syscall_resolve_name(std::string(name).c_str());
}

Status add(const Filter& filter,
           std::uint32_t action,
           std::string_view name,
           const scmp_arg_cmp* condition) {
    const int number = number_of(name);
    if (number == __NR_SCMP_ERROR) {
        return {};
    }
    const int rc = condition == nullptr
                       ? seccomp_rule_add_array(filter.get(), action, number, 0, nullptr)
                       : seccomp_rule_add_array(filter.get(), action, number, 1, condition);
    return check(rc, name);
}

// Only the low 32 bits of these arguments mean anything to the kernel, so only they are compared.
scmp_arg_cmp low_word_is(unsigned argument, unsigned long value) {
    return {argument, SCMP_CMP_MASKED_EQ, 0xffffffffUL, value & 0xffffffffUL};
}

Status add_named_calls(const Filter& filter) {
    for (const std::string_view name : allowed_calls()) {
        RETURN_IF_ERROR(add(filter, SCMP_ACT_ALLOW, name, nullptr));
    }
    for (const DeniedCall& call : denied_calls()) {
        if (call.error_number !=
            ENOSYS) { // ENOSYS is the default, and libseccomp refuses to repeat it
            RETURN_IF_ERROR(add(filter,
                                SCMP_ACT_ERRNO(static_cast<unsigned>(call.error_number)),
                                call.name,
                                nullptr));
        }
    }
    return {};
}

Status add_sockets(const Filter& filter) {
    const auto allowed = allowed_socket_families();
    const int highest = *std::max_element(allowed.begin(), allowed.end());
    for (int family = 0; family <= highest; ++family) {
        const bool allow = std::find(allowed.begin(), allowed.end(), family) != allowed.end();
        const scmp_arg_cmp is_family{0, SCMP_CMP_EQ, static_cast<scmp_datum_t>(family), 0};
        RETURN_IF_ERROR(add(
            filter, allow ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO(EAFNOSUPPORT), "socket", &is_family));
    }
    const scmp_arg_cmp is_higher{0, SCMP_CMP_GT, static_cast<scmp_datum_t>(highest), 0};
    return add(filter, SCMP_ACT_ERRNO(EAFNOSUPPORT), "socket", &is_higher);
}

// Whatever the family, its module is loaded and its sockets are made before the kernel asks whether
// it knows pairs; those of TIPC do.
Status add_socket_pairs(const Filter& filter) {
    const scmp_arg_cmp is_unix{0, SCMP_CMP_EQ, AF_UNIX, 0};
    RETURN_IF_ERROR(add(filter, SCMP_ACT_ALLOW, "socketpair", &is_unix));
    const scmp_arg_cmp is_other{0, SCMP_CMP_NE, AF_UNIX, 0};
    return add(filter, SCMP_ACT_ERRNO(EAFNOSUPPORT), "socketpair", &is_other);
}

Status add_personalities(const Filter& filter) {
    for (const unsigned long persona : allowed_personalities()) {
        const scmp_arg_cmp is_persona = low_word_is(0, persona);
        RETURN_IF_ERROR(add(filter, SCMP_ACT_ALLOW, "personality", &is_persona));
    }
    return {};
}

Result<std::vector<unsigned char>> export_program(const Filter& filter) {
    const UniqueFd memory(::memfd_create("lodge-seccomp", MFD_CLOEXEC));
    if (!memory) {
        return fail_errno("memfd_create");
    }
    RETURN_IF_ERROR(check(seccomp_export_bpf(filter.get(), memory.get()), "export the program"));
    const off_t size = ::lseek(memory.get(), 0, SEEK_END);
    if (size <= 0) {
        return fail_errno("lseek");
    }
    std::vector<unsigned char> program(static_cast<std::size_t>(size));
    if (::pread(memory.get(), program.data(), program.size(), 0) != size) {
        return fail_errno("pread");
    }
    return program;
}

Result<Filter> new_filter(std::uint32_t architecture) {
    Filter filter(seccomp_init(SCMP_ACT_ERRNO(ENOSYS)));
    if (!filter) {
        return fail(ErrorCode::resource_exhausted, "libseccomp: no memory for a filter");
    }
    // A foreign architecture (x32 among them) is answered like a kernel built without it.
    RETURN_IF_ERROR(
        check(seccomp_attr_set(filter.get(), SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ERRNO(ENOSYS)),
              "foreign architectures"));
    // sudo and every other setuid program need their privileges inside.
    RETURN_IF_ERROR(check(seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_NNP, 0), "no_new_privs"));
    // A binary tree over the numbers instead of a list: a call is judged in about ten comparisons.
    RETURN_IF_ERROR(check(seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2), "optimise"));
    if (architecture != seccomp_arch_native()) {
        RETURN_IF_ERROR(
            check(seccomp_arch_add(filter.get(), architecture), "add the architecture"));
        RETURN_IF_ERROR(check(seccomp_arch_remove(filter.get(), seccomp_arch_native()),
                              "remove the native one"));
    }
    return filter;
}

Result<Filter> common_filter(std::uint32_t architecture) {
    ASSIGN_OR_RETURN(Filter filter, new_filter(architecture));
    RETURN_IF_ERROR(add_named_calls(filter));
    RETURN_IF_ERROR(add_personalities(filter));
    return filter;
}

} // namespace

Result<std::vector<unsigned char>> compile_seccomp_profile() {
    ASSIGN_OR_RETURN(Filter filter, common_filter(seccomp_arch_native()));
    RETURN_IF_ERROR(add_sockets(filter));
    RETURN_IF_ERROR(add_socket_pairs(filter));
    if (seccomp_arch_native() == SCMP_ARCH_X86_64) {
        // No socket and no pair for i386: there socketcall(2) hides the family behind a pointer,
        // and a filter that 64-bit programs obey and 32-bit programs pass by would be none.
        ASSIGN_OR_RETURN(Filter compat, common_filter(SCMP_ARCH_X86));
        RETURN_IF_ERROR(check(seccomp_merge(filter.get(), compat.get()), "merge i386"));
        (void)compat.release(); // merged: it belongs to the other now
    }
    return with_context(export_program(filter), "compile the seccomp profile");
}

} // namespace lodge::daemon
