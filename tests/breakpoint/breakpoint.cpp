// Preloaded into lodged, which knows nothing of it: breakpoints at the steps of its operations. An
// operation writes its beginning, the intent of each step and its end into the database, each in a
// transaction of its own (daemon/store/operations.cpp); right before and right after each of these
// is committed lies a point, named "before NAME of VERB" and "after NAME of VERB": NAME is "begin",
// "end" or the step's. "before" the next, a step is done; "after" its own, it has not begun. What a
// dead daemon left and this one finishes has none.
//
// In the directory LODGE_BREAKPOINTS, the file `passed` gets the name of each point that is passed,
// a line each. When the file `order` says "SIGNAL POINT", as in "9 after volume of create", this
// process gets that signal at that point, once.
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <map>
#include <mutex>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <dlfcn.h>
#include <sqlite3.h>
#include <unistd.h>

namespace {

// What the transaction that this thread has open is going to log; empty: nothing of a step.
thread_local std::string logging; // NOLINT: each call below sees only its statement

std::mutex lock;
std::map<std::string, std::string> begun; ///< verbs by id of what has not ended; protected by lock

std::string file(const char* name) {
    const char* directory = std::getenv("LODGE_BREAKPOINTS"); // NOLINT: nobody writes it
    return directory == nullptr ? "" : std::string(directory) + "/" + name;
}

// The texts among the values of a statement, in their order: ids and names, which hold no quote.
std::vector<std::string> texts_in(sqlite3_stmt* statement) {
    char* expanded = sqlite3_expanded_sql(statement);
    std::istringstream sql(expanded == nullptr ? "" : expanded);
    sqlite3_free(expanded);
    std::vector<std::string> texts(2);
    for (std::string& text : texts) {
        std::getline(sql, text, '\'');
        std::getline(sql, text, '\'');
    }
    return texts;
}

// Empty: it never began, as it was refused or is a dead daemon's.
std::string of_verb(const std::string& name, const std::string& id) {
    const auto operation = begun.find(id);
    return operation == begun.end() ? "" : name + " of " + operation->second;
}

std::string step_in(sqlite3_stmt* statement) {
    const char* text = sqlite3_sql(statement); // SQLite's own statements have none
    const std::string_view sql = text == nullptr ? "" : text;
    const std::lock_guard guard(lock);
    if (sql.starts_with("INSERT INTO operation ")) {
        const auto texts = texts_in(statement);
        begun[texts[0]] = texts[1];
        return of_verb("begin", texts[0]);
    }
    if (sql.starts_with("DELETE FROM operation WHERE id ")) {
        const std::string id = texts_in(statement)[0];
        std::string end = of_verb("end", id);
        begun.erase(id);
        return end;
    }
    if (sql.starts_with("INSERT INTO step ")) {
        const auto texts = texts_in(statement);
        return of_verb(texts[1], texts[0]);
    }
    return "";
}

// The order goes before the point is told as passed: an order that is there when all is over was
// missed.
void pass(const std::string& point) {
    int signal = 0;
    std::string ordered;
    std::ifstream order(file("order"));
    const bool is_here =
        order >> signal && order.ignore() && std::getline(order, ordered) && ordered == point;
    if (is_here) {
        (void)::unlink(file("order").c_str());
    }
    std::ofstream(file("passed"), std::ios::app) << point + "\n";
    if (is_here) {
        (void)::raise(signal); // to this thread, which goes no further then
    }
}

template <typename Function>
Function next(const char* name) {
    return reinterpret_cast<Function>(::dlsym(RTLD_NEXT, name));
}

} // namespace

extern "C" int sqlite3_step(sqlite3_stmt* statement) {
    static const auto real = next<decltype(&sqlite3_step)>("sqlite3_step");
    if (std::string step = step_in(statement); !step.empty()) {
        logging = std::move(step);
    }
    return real(statement);
}

extern "C" int sqlite3_exec(sqlite3* database,
                            const char* sql,
                            int (*callback)(void*, int, char**, char**),
                            void* argument,
                            char** error) {
    static const auto real = next<decltype(&sqlite3_exec)>("sqlite3_exec");
    const std::string step = std::exchange(logging, {});
    const bool commits = std::string_view(sql).starts_with("COMMIT") && !step.empty();
    if (commits) {
        pass("before " + step);
    }
    const int result = real(database, sql, callback, argument, error);
    if (commits && result == SQLITE_OK) {
        pass("after " + step);
    }
    return result;
}
