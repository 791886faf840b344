#include "daemon/recovery/plan.hpp"

#include "daemon/containers/logged_verb.hpp"
#include "daemon/containers/plans.hpp"
#include "daemon/recovery/unfinished.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace lodge::daemon {

namespace {

using Act = RecoveryStep::Act;

// An init that was asked to halt, or was about to be, has its time, daemon or not.
bool is_halting(const LoggedOperation& left) {
    const auto verb = parse_arguments(left.arguments);
    return verb && verb->halt_timeout &&
           std::all_of(left.intended.begin(), left.intended.end(), [](const StepId& step) {
               return step.name == kHaltStep;
           });
}

/// One planning: the inventory, the decisions so far, and the list of steps.
class Planner {
  public:
    explicit Planner(const Inventory& seen) : seen_(seen), is_made_(is_something_made()) {
        for (const auto& [uuid, row] : seen_.rows) {
            for (const model::Disk& disk : row.container.disks) {
                volumes_[disk.uuid] = uuid;
            }
            for (const model::Card& card : row.container.cards) {
                cards_[model::card_name(card.uuid)] = uuid;
            }
        }
    }

    std::vector<RecoveryStep> plan() {
        if (!seen_.unfinished.empty()) {
            finish_operations();
            return std::move(steps_);
        }
        network(); // before the cards that hang on it
        containers();
        devices(); // found by their image: before it goes with its directory
        directories();
        cards();
        consoles();
        images();
        return std::move(steps_);
    }

  private:
    void add(Act act, const Uuid& uuid, const std::string& subject, const std::string& why) {
        steps_.push_back({.act = act, .uuid = uuid, .subject = subject, .why = why});
    }

    void finish_operations() {
        for (const LoggedOperation& left : seen_.unfinished) {
            if (const Status known = check_logged(left); !known) {
                add(Act::report, left.id, left.resource, known.error().message());
                continue;
            }
            add(is_halting(left) ? Act::resume_operation : Act::finish_operation,
                left.id,
                left.resource,
                left.verb + " was left unfinished");
        }
    }

    void network() {
        const NetworkFaults& faults = seen_.network;
        const std::string bridge = "the bridge " + faults.bridge_name;
        if (!faults.bridge.empty()) {
            add(Act::mend_bridge, {}, faults.bridge_name, bridge + ": " + faults.bridge);
        }
        if (!faults.forwarding.empty()) {
            add(Act::mend_forwarding, {}, faults.bridge_name, "the host: " + faults.forwarding);
        }
        if (!faults.firewall.empty()) {
            add(Act::mend_firewall, {}, "lodge", "the firewall's tables: " + faults.firewall);
        }
    }

    const SeenRow* row_of(const Uuid& uuid) const {
        const auto row = seen_.rows.find(uuid);
        return row == seen_.rows.end() ? nullptr : &row->second;
    }
    std::string name_of(const Uuid& uuid) const {
        const SeenRow* row = row_of(uuid);
        return row != nullptr ? row->container.spec.name : uuid.to_string();
    }
    // Nil: of no row.
    Uuid owner_of_card(const std::string& name) const {
        const auto owner = cards_.find(name);
        return owner == cards_.end() ? Uuid{} : owner->second;
    }
    // Nil: of no row.
    Uuid owner_of_volume(const Uuid& volume) const {
        const auto owner = volumes_.find(volume);
        return owner == volumes_.end() ? Uuid{} : owner->second;
    }
    // An operation of this daemon is, or was, at work on it while we looked.
    bool is_held(const Uuid& uuid) const {
        return seen_.held.contains(uuid.to_string()) || seen_.held.contains(name_of(uuid));
    }

    // An operation that nobody could finish is about it: nothing on the disk goes.
    bool is_left(const Uuid& uuid) const {
        return seen_.left.contains(uuid.to_string()) || seen_.left.contains(name_of(uuid));
    }

    std::map<Uuid, Sighting> sightings() const {
        std::map<Uuid, Sighting> all;
        for (const auto& [uuid, row] : seen_.rows) {
            Sighting& one = all[uuid];
            one.has_row = true;
            one.published = row.published;
            one.state = row.container.state;
            one.this_boot = row.this_boot;
        }
        for (const auto& [uuid, monitor] : seen_.monitors) {
            Sighting& one = all[uuid];
            one.monitor = monitor.sign;
            const SeenRow* row = row_of(uuid);
            one.same_init = row == nullptr || !row->container.init_pid ||
                            (row->container.init_pid == monitor.init.pid &&
                             row->container.init_start_time == monitor.init.start_time);
        }
        for (const std::string& group : seen_.groups) {
            if (const auto uuid = model::container_of_group(group)) {
                all[*uuid].has_group = true;
                all[*uuid].group_frozen = seen_.frozen_groups.contains(group);
            }
        }
        return all;
    }

    void containers() {
        for (const auto& [uuid, sighting] : sightings()) {
            if (is_held(uuid)) {
                claimed_.insert(uuid);
                continue;
            }
            switch (decide(sighting)) {
            case Recovery::nothing:
                break;
            case Recovery::take_up_as_recorded:
                make_as_recorded(uuid, sighting);
                [[fallthrough]];
            case Recovery::take_up:
                claimed_.insert(uuid);
                go_on(uuid);
                break;
            case Recovery::stop:
                claimed_.insert(uuid); // its own steps remove all that is the container's
                add(Act::stop, uuid, name_of(uuid), why_stop(sighting));
                break;
            case Recovery::mark_stopped:
                add(Act::mark_stopped, uuid, name_of(uuid), "it ran when the host went down");
                break;
            case Recovery::remove_row:
                claimed_.insert(uuid);
                if (is_left(uuid)) {
                    add(Act::report,
                        uuid,
                        name_of(uuid),
                        "its create never came to its end, and an operation on it is left in the "
                        "log");
                    break;
                }
                removed_.insert(uuid);
                add(Act::remove_row, uuid, name_of(uuid), "its create never came to its end");
                break;
            case Recovery::sweep:
                add(Act::sweep, uuid, uuid.to_string(), why_sweep(sighting));
                break;
            }
        }
        for (const Uuid& uuid : claimed_) {
            const SeenRow* row = row_of(uuid);
            if (row == nullptr) {
                continue;
            }
            for (const model::Card& card : row->container.cards) {
                claimed_cards_.insert(model::card_name(card.uuid));
            }
        }
    }

    // The row is right: the caller got it as the answer.
    void make_as_recorded(const Uuid& uuid, const Sighting& sighting) {
        if (sighting.group_frozen) {
            add(Act::thaw, uuid, name_of(uuid), "it is recorded as running, and held");
        } else {
            add(Act::freeze, uuid, name_of(uuid), "it is recorded as frozen, and runs");
        }
    }

    // A container that runs as it should, but perhaps not all around it does.
    void go_on(const Uuid& uuid) {
        if (!seen_.watched.contains(uuid)) {
            add(Act::take_up, uuid, name_of(uuid), "it runs, and is not watched over");
        }
        for (const model::Card& card : row_of(uuid)->container.cards) {
            go_on_with(uuid, model::card_name(card.uuid));
        }
    }

    void go_on_with(const Uuid& uuid, const std::string& card) {
        // To take a container up admits its cards.
        if (seen_.watched.contains(uuid) && seen_.misadmitted.contains(card)) {
            add(Act::admit_card,
                uuid,
                name_of(uuid),
                "the firewall does not let pass what its card " + card + " may send");
        }
        if (const auto fault = seen_.card_faults.find(card); fault != seen_.card_faults.end()) {
            add(Act::mend_card, uuid, name_of(uuid), "its card " + card + " " + fault->second);
        }
        if (!seen_.cards.contains(card)) {
            add(Act::report,
                uuid,
                name_of(uuid),
                "it runs without its card " + card + "; restart it to give it one");
        }
    }

    static std::string why_stop(const Sighting& sighting) {
        const bool should_run =
            sighting.state == model::State::running || sighting.state == model::State::frozen;
        if (!should_run) {
            return sighting.monitor == MonitorSign::none ? "it is stopped, yet has a control group"
                                                         : "it is stopped, yet has a monitor";
        }
        if (!sighting.this_boot) {
            return "it ran when the host went down, yet something of it is here";
        }
        switch (sighting.monitor) {
        case MonitorSign::silent:
            return "its monitor does not answer";
        case MonitorSign::living:
            return "its monitor watches another init than the one that was recorded";
        case MonitorSign::none:
        case MonitorSign::dead:
            break;
        }
        return "its monitor was killed";
    }

    static std::string why_sweep(const Sighting& sighting) {
        return sighting.monitor == MonitorSign::none ? "a control group that no container claims"
                                                     : "a monitor that no container claims";
    }

    void directories() {
        for (const auto& [name, directory] : seen_.directories) {
            const Uuid uuid = Uuid::parse(name).value_or(Uuid{});
            if (uuid == Uuid{} || is_claimed_directory(uuid) || is_held(uuid) || is_left(uuid)) {
                continue;
            }
            if (directory.is_kept) {
                kept_volumes_ = true;
                add(Act::report,
                    uuid,
                    name,
                    "'" + seen_.containers_directory + "/" + name +
                        "' holds a container of which the database knows nothing; it is left "
                        "alone. To have it back, stop lodged, move lodge.db away and run `lodge "
                        "recover`");
            } else {
                add(Act::remove_directory, uuid, name, "a directory that no container claims");
            }
        }
        for (const auto& [uuid, row] : seen_.rows) {
            if (row.published && !is_held(uuid) && !has_volumes(row.container)) {
                add(Act::report,
                    uuid,
                    name_of(uuid),
                    "its volume is gone from " + seen_.containers_directory);
            }
        }
    }

    // Of a container's record, or of a volume's image.
    bool is_claimed_directory(const Uuid& uuid) const {
        return row_of(uuid) != nullptr || owner_of_volume(uuid) != Uuid{};
    }

    bool has_volumes(const model::Container& container) const {
        return std::ranges::all_of(container.disks, [&](const model::Disk& disk) {
            const auto directory = seen_.directories.find(disk.uuid.to_string());
            return directory != seen_.directories.end() && directory->second.has_image;
        });
    }

    void cards() {
        for (const std::string& card : seen_.cards) {
            if (model::is_card_name(card) && !is_claimed_card(card)) {
                add(Act::remove_card,
                    owner_of_card(card),
                    card,
                    "a card that no running container has");
            }
        }
        for (const std::string& card : seen_.admitted) {
            if (model::is_card_name(card) && !is_claimed_card(card)) {
                add(Act::expel_card,
                    owner_of_card(card),
                    card,
                    "the firewall admits a card that no running container has");
            }
        }
    }

    bool is_claimed_card(const std::string& card) const {
        return claimed_cards_.contains(card) || is_made_;
    }

    // A create that began while we looked: its UUID is known from its operation, and the cards of
    // its row are not.
    bool is_something_made() const {
        return std::ranges::any_of(seen_.held, [&](const std::string& held) {
            const auto uuid = Uuid::parse(held);
            return uuid && row_of(*uuid) == nullptr;
        });
    }

    void consoles() {
        for (const Uuid& uuid : seen_.consoles) {
            if (row_of(uuid) == nullptr && !is_held(uuid)) {
                add(Act::forget_console,
                    uuid,
                    uuid.to_string(),
                    "the console's output of a container that is gone");
            }
        }
    }

    // Of a container that does not run, the volume is closed.
    void devices() {
        std::set<Uuid> told;
        for (const storage::BlockDevice& device : seen_.devices) {
            const auto volume = model::volume_of_label(device.label);
            if (!volume || !device.image.starts_with(seen_.containers_directory + "/" +
                                                     volume->to_string() + "/")) {
                continue;
            }
            const Uuid owner = owner_of_volume(*volume);
            const Uuid uuid = owner == Uuid{} ? *volume : owner;
            if (!claimed_.contains(uuid) && !is_held(uuid) && told.insert(uuid).second) {
                add(Act::close_volume,
                    uuid,
                    name_of(uuid),
                    device.name + " holds the volume of a container that does not run");
            }
        }
    }

    bool is_wanted_image(const std::string& digest) const {
        if (seen_.named_images.contains(digest)) {
            return true;
        }
        for (const auto& [uuid, row] : seen_.rows) {
            if (row.container.template_digest == digest && !removed_.contains(uuid)) {
                return true;
            }
        }
        return false;
    }

    void images() {
        const auto is_of_template = [](const std::string& name) {
            return name.starts_with("template ");
        };
        if (std::any_of(seen_.held.begin(), seen_.held.end(), is_of_template) ||
            std::any_of(seen_.left.begin(), seen_.left.end(), is_of_template)) {
            return; // which images it is about nobody knows before it ends
        }
        for (const std::string& digest : seen_.images) {
            if (is_wanted_image(digest)) {
                continue;
            }
            if (kept_volumes_) {
                add(Act::report,
                    {},
                    digest,
                    "an image that no template or container claims is kept: a volume that is kept "
                    "may be made of it");
            } else {
                add(Act::remove_image, {}, digest, "an image that no template or container claims");
            }
        }
        for (const std::string& digest : seen_.mount_points) {
            if (!is_wanted_image(digest) && !seen_.images.contains(digest)) {
                add(Act::unmount_image, {}, digest, "the mount of an image that is gone");
            }
        }
        for (const std::string& work : seen_.works) {
            if (const auto id = Uuid::parse(work)) {
                add(Act::discard_work, *id, work, "what a template's build or import left");
            }
        }
    }

    const Inventory& seen_;
    std::map<Uuid, Uuid> volumes_;      ///< of rows, to their containers
    std::map<std::string, Uuid> cards_; ///< names, to their containers
    std::set<Uuid> claimed_; ///< by a container that runs, or whose step removes all of it
    std::set<Uuid> removed_; ///< rows that go
    std::set<std::string> claimed_cards_;
    bool is_made_ = false;      ///< see is_something_made()
    bool kept_volumes_ = false; ///< there are such as no row claims: a database was lost
    std::vector<RecoveryStep> steps_;
};

} // namespace

std::string_view to_string(Act act) noexcept {
    constexpr std::array<std::string_view, 23> kNames{"finish_operation",
                                                      "resume_operation",
                                                      "take_up",
                                                      "freeze",
                                                      "thaw",
                                                      "stop",
                                                      "mark_stopped",
                                                      "remove_row",
                                                      "sweep",
                                                      "mend_bridge",
                                                      "mend_forwarding",
                                                      "mend_firewall",
                                                      "mend_card",
                                                      "admit_card",
                                                      "remove_card",
                                                      "expel_card",
                                                      "close_volume",
                                                      "remove_directory",
                                                      "remove_image",
                                                      "unmount_image",
                                                      "discard_work",
                                                      "forget_console",
                                                      "report"};
    return kNames[static_cast<std::size_t>(act)];
}

std::vector<RecoveryStep> plan_recovery(const Inventory& seen) {
    return Planner(seen).plan();
}

} // namespace lodge::daemon
