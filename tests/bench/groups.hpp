#pragma once

#include "tests/bench/measure.hpp"

#include <string>

namespace lodge::bench {

/// Where the bench works: everything is below `directory` and in its own mount and network
/// namespaces, in which a bridge `br0` is up.
struct Place {
    std::string directory;
    std::string plain_tree;   ///< a root tree with tiny programs, owned by root
    std::string shifted_tree; ///< the same, owned by kPeerBase
    std::string cgroup2;      ///< mount point
    bool hybrid = false;      ///< cgroup v1 hierarchies beside it
    std::string template_tar; ///< a distribution's root tree, or empty
    int crowd = 20;           ///< containers for the measure of memory
};

inline constexpr unsigned kPeerBase = 100000;

/// Lodge itself, through its own command line.
void measure_lodge(const Place& place, const Plan& plan, Report& report);
void measure_floor(const Place& place, const Plan& plan, Report& report);
void measure_lxc(const Place& place, const Plan& plan, Report& report);
void measure_nspawn(const Place& place, const Plan& plan, Report& report);
void measure_crun(const Place& place, const Plan& plan, Report& report);
void measure_runc(const Place& place, const Plan& plan, Report& report);

} // namespace lodge::bench
