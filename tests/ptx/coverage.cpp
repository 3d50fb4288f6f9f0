/* coverage.cpp - what was executed, for coverage.py. */
#include "ptx.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

/* For each kernel `kernel NAME`, and for each of its instructions, if it ran, `OPCODE FILE:LINE TIMES`. */
void write_coverage(const std::vector<Module *> &modules)
{
    const char *path = getenv("PTX_COVERAGE");
    FILE *f = path ? fopen(path, "w") : nullptr;
    if (!f)
        return;
    for (Module *m : modules) {
        std::vector<std::string_view> lines = {""};
        for (std::string_view t = m->text; !t.empty();) {
            size_t end = std::min(t.find('\n'), t.size() - 1);
            lines.push_back(t.substr(0, end));
            t.remove_prefix(end + 1);
        }
        for (auto &entry : m->kernels) {
            Kernel &k = entry.second;
            fprintf(f, "kernel %s\n", k.name.c_str());
            bool ran = false;
            for (const Ins &i : k.code)
                ran |= i.count != 0;
            for (const Ins &i : k.code) {
                std::string_view line = ran ? lines[(size_t)i.line] : "";
                auto skip = [&](const char *what) {
                    line.remove_prefix(std::min(line.find_first_not_of(what), line.size()));
                };
                skip(" \t{");
                if (!line.empty() && line[0] == '@') {
                    line.remove_prefix(std::min(line.find_first_of(" \t"), line.size()));
                    skip(" \t");
                }
                if (line.empty())
                    continue;
                std::string_view op = line.substr(0, line.find_first_of(" \t;"));
                const Loc none = {}, &l = i.loc < 0 ? none : k.locs[(size_t)i.loc];
                const std::string &file = m->files[l.file];
                size_t slash = file.rfind('/');
                fprintf(f, "%.*s %s:%d %llu\n", (int)op.size(), op.data(),
                        slash == std::string::npos ? "-" : file.c_str() + slash + 1, l.line,
                        (unsigned long long)i.count);
            }
        }
    }
    fclose(f);
}
