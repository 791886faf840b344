#include "cli/info_rows.hpp"

#include "cli/values.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <set>
#include <utility>

namespace lodge::cli {

namespace {

using nlohmann::json;
using Rows = std::vector<std::vector<std::string>>;

std::string or_dash(std::string text) {
    return text.empty() ? "-" : std::move(text);
}

// The rows of one container. Records which fields are shown.
class Sheet {
  public:
    explicit Sheet(const json& container) : container_(container) {}

    void begin(const std::string& group) { rows_.push_back({group}); }
    void add(const std::string& name, std::string value) {
        rows_.push_back({"  " + name, or_dash(std::move(value))});
    }
    /// A row with one field.
    void add_field(const std::string& name, const std::string& key) {
        add(name, cell_of(key, take(key)));
    }
    /// A row for each entry of a field.
    void add_each(const std::string& name, const std::string& key) {
        std::string heading = name;
        const json& all = take(key);
        for (const auto& [of, item] : all.items()) {
            const auto text = item.get<std::string>();
            add(heading, all.is_object() ? std::string(of).append("=").append(text) : text);
            heading = "";
        }
        if (all.empty()) {
            add(name, "");
        }
    }
    /// null when there is none.
    const json& take(const std::string& key) {
        static const json kNone;
        shown_.insert(key);
        const auto found = container_.find(key);
        return found == container_.end() ? kNone : *found;
    }
    std::string text(const std::string& key) { return cell_of(key, take(key)); }
    void add_rest() {
        std::vector<std::string> rest;
        for (const auto& [key, value] : container_.items()) {
            if (!shown_.contains(key)) {
                rest.push_back(key);
            }
        }
        if (!rest.empty()) {
            begin("other");
        }
        for (const std::string& key : rest) {
            add_field(key, key);
        }
    }
    Rows rows() && { return std::move(rows_); }

  private:
    const json& container_;
    std::set<std::string> shown_;
    Rows rows_;
};

// "120M of 512M", with a note when this host does not enforce the limit.
std::string use_and_limit(const std::string& used,
                          const std::string& limit,
                          const json& not_enforced,
                          const std::string& controller) {
    std::string words = used.empty() ? "" : used + " in use, ";
    words += limit.empty() ? "no limit" : "limit " + limit;
    const bool holds =
        std::find(not_enforced.begin(), not_enforced.end(), controller) == not_enforced.end();
    return words + (holds ? "" : ", which this host does not enforce");
}

void add_resources(Sheet& sheet) {
    const json& not_enforced = sheet.take("limits_not_enforced");
    sheet.begin("resources");
    sheet.add(
        "memory",
        use_and_limit(
            sheet.text("memory_used_bytes"), sheet.text("memory_bytes"), not_enforced, "memory"));
    sheet.add(
        "cpus",
        use_and_limit(sheet.text("cpu_used_ms"), sheet.text("cpu_millis"), not_enforced, "cpu"));
    sheet.add("processes",
              use_and_limit(sheet.text("processes"), sheet.text("pids"), not_enforced, "pids"));
}

void add_identity(Sheet& sheet) {
    sheet.begin("container");
    sheet.add_field("name", "name");
    const std::string busy = sheet.text("busy_with");
    sheet.add("state", sheet.text("state") + (busy.empty() ? "" : " (" + busy + ")"));
    sheet.add_field("description", "description");
    sheet.add_each("labels", "labels");
    sheet.add_field("uuid", "uuid");
    sheet.add_field("created", "created_at");
}

void add_life(Sheet& sheet) {
    sheet.begin("how it runs");
    sheet.add_field("template", "template");
    sheet.add_field("template digest", "template_digest");
    sheet.add_field("hostname", "hostname");
    sheet.add_field("pid of init", "pid");
    sheet.add_field("started", "started_at");
    sheet.add_field("uptime", "uptime_seconds");
    sheet.add_field("ready means", "ready");
    sheet.add_field("first host id", "uid_base");
    sheet.add_field("last exit", "last_exit");
    sheet.add_field("last error", "last_error");
    sheet.add_field("broken", "broken_why");
}

} // namespace

Rows info_rows(const json& container) {
    Sheet sheet(container);
    add_identity(sheet);
    add_life(sheet);
    add_resources(sheet);
    sheet.begin("network");
    sheet.add_each("addresses", "addresses");
    sheet.add_field("MAC address", "mac_address");
    sheet.add_field("card on the host", "card");
    sheet.begin("disk");
    sheet.add_field("size", "disk_bytes");
    sheet.add_field("encryption", "encryption");
    sheet.add_field("rootfs", "rootfs");
    sheet.add_field("image", "image");
    sheet.begin("policies");
    sheet.add_field("protected", "protect");
    sheet.add_field("onboot", "onboot");
    sheet.add_field("bootorder", "bootorder");
    sheet.add_field("boot delay", "boot_delay_seconds");
    sheet.add_field("restart", "restart");
    sheet.add_field("restart limit", "restart_limit");
    sheet.add_field("restart backoff", "restart_backoff_seconds");
    sheet.add_field("restarts", "restarts");
    sheet.add_field("start planned", "start_planned");
    sheet.add_rest();
    return std::move(sheet).rows();
}

} // namespace lodge::cli
