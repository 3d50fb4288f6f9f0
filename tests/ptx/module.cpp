/* module.cpp - PTX text: variables, kernels, statements and their operands. */
#include "ptx.h"

#include <cctype>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>

void fail(const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    throw Error{text};
}

/* Text --------------------------------------------------------------------------------------------------------------- */

struct Scanner {
    std::string_view s;
    size_t at = 0;
    int line = 1;

    bool end()
    {
        space();
        return at >= s.size();
    }
    void space()
    {
        for (; at < s.size() && isspace((unsigned char)s[at]); at++)
            line += s[at] == '\n';
    }
    char peek()
    {
        space();
        return at < s.size() ? s[at] : 0;
    }
    bool take(char c)
    {
        if (peek() != c)
            return false;
        at++;
        return true;
    }
    void need(char c)
    {
        if (!take(c))
            fail("PTX line %d: '%c' was expected", line, c);
    }
    static bool in_word(char c)
    {
        return isalnum((unsigned char)c) || c == '_' || c == '$' || c == '%' || c == '.';
    }
    std::string_view word()
    {
        space();
        size_t from = at;
        while (at < s.size() && (in_word(s[at]) || (s[at] == ':' && at + 1 < s.size() && s[at + 1] == ':' && ++at)))
            at++;
        return s.substr(from, at - from);
    }
    std::string_view until(char c)
    {
        size_t from = at;
        while (at < s.size() && s[at] != c)
            line += s[at++] == '\n';
        std::string_view r = s.substr(from, at - from);
        if (at < s.size()) {
            line += s[at] == '\n';
            at++;
        }
        return r;
    }
    /* From an opening brace or bracket to behind its partner. */
    std::string_view balanced(char open, char close)
    {
        need(open);
        size_t from = at;
        for (int depth = 1; at < s.size(); at++) {
            line += s[at] == '\n';
            if (s[at] == '"') {
                while (++at < s.size() && s[at] != '"')
                    ;
                continue;
            }
            depth += s[at] == open;
            depth -= s[at] == close;
            if (!depth)
                return s.substr(from, at++ - from);
        }
        fail("PTX line %d: no '%c'", line, close);
    }
    u64 number()
    {
        space();
        char *stop = nullptr;
        u64 v = strtoull(s.data() + at, &stop, 0);
        at = (size_t)(stop - s.data());
        while (at < s.size() && (s[at] == 'U' || s[at] == 'L'))
            at++;
        return v;
    }
};

static void strip_comments(std::string &s)
{
    for (size_t k = 0; k + 1 < s.size(); k++) {
        if (s[k] == '"') {
            while (++k < s.size() && s[k] != '"')
                ;
        } else if (s[k] == '/' && s[k + 1] == '/') {
            while (k < s.size() && s[k] != '\n')
                s[k++] = ' ';
        } else if (s[k] == '/' && s[k + 1] == '*') {
            while (k + 1 < s.size() && !(s[k] == '*' && s[k + 1] == '/')) {
                if (s[k] != '\n')
                    s[k] = ' ';
                k++;
            }
            s[k] = s[k + 1] = ' ';
        }
    }
}

static std::string_view trim(std::string_view v)
{
    while (!v.empty() && isspace((unsigned char)v.front()))
        v.remove_prefix(1);
    while (!v.empty() && isspace((unsigned char)v.back()))
        v.remove_suffix(1);
    return v;
}
/* At commas outside brackets. */
static std::vector<std::string_view> split(std::string_view v)
{
    std::vector<std::string_view> list;
    int depth = 0;
    size_t from = 0;
    for (size_t k = 0; k < v.size(); k++) {
        depth += v[k] == '{' || v[k] == '[' || v[k] == '(';
        depth -= v[k] == '}' || v[k] == ']' || v[k] == ')';
        if (v[k] == ',' && !depth) {
            list.push_back(trim(v.substr(from, k - from)));
            from = k + 1;
        }
    }
    v = trim(v.substr(from));
    if (!v.empty())
        list.push_back(v);
    return list;
}

static int bytes_of(std::string_view type) /* ".b32"; 0: predicate */
{
    if (type == ".pred")
        return 0;
    int bits = type.size() > 2 ? atoi(type.data() + 2) : 0;
    if (bits != 8 && bits != 16 && bits != 32 && bits != 64)
        fail("type %.*s", (int)type.size(), type.data());
    return bits / 8;
}

/* `.align 8 .b8 name[88]`, behind the state space. */
struct Declaration {
    u32 align = 0, n_bytes = 0;
    int element = 0;
    std::string name;
};
static Declaration declaration(Scanner &in)
{
    Declaration d;
    std::string_view w = in.word();
    for (; w == ".align" || w == ".ptr" || w == ".global"; w = in.word())
        if (w == ".align")
            d.align = (u32)in.number();
    d.element = bytes_of(w);
    w = in.word();
    while (w == ".ptr" || w == ".global" || w == ".align" ||
           w == ".shared") { /* .param .u64 .ptr .global .align 1 name */
        if (w == ".align")
            in.number();
        w = in.word();
    }
    d.name = w;
    d.n_bytes = (u32)d.element;
    if (in.take('[')) {
        d.n_bytes = in.peek() == ']' ? 0 : (u32)d.element * (u32)in.number();
        in.need(']');
    }
    d.align = d.align ? d.align : (u32)d.element;
    return d;
}

static void put_initial(Scanner &in, u8 *to, int element, u32 n_bytes)
{
    bool list = in.take('{');
    for (u32 at = 0; at < n_bytes && in.peek() != '}'; at += (u32)element) {
        u64 v;
        in.space();
        std::string_view rest = in.s.substr(in.at, 2);
        if (rest == "0f" || rest == "0F" || rest == "0d" || rest == "0D") {
            in.at += 2;
            std::string hex(in.word());
            v = strtoull(hex.c_str(), nullptr, 16);
        } else if (isdigit((unsigned char)in.peek()) || in.peek() == '-') {
            v = in.number();
        } else {
            fail("an initial value that is no number");
        }
        memcpy(to + at, &v, (size_t)element);
        in.take(',');
        if (!list)
            break;
    }
    if (list)
        in.need('}');
}

void module_load(Module &m, std::string text)
{
    m.text = std::move(text);
    strip_comments(m.text);
    Scanner in{m.text};
    bool is_extern = false;
    while (!in.end()) {
        int line = in.line;
        std::string_view w = in.word();
        if (w == ".target") {
            std::string_view target = in.until('\n');
            size_t sm = target.find("sm_");
            m.target = sm == std::string_view::npos ? 80 : atoi(std::string(target.substr(sm + 3)).c_str());
        } else if (w == ".version" || w == ".address_size") {
            in.until('\n');
        } else if (w == ".file") {
            int n = (int)in.number();
            std::string_view path = in.until('\n');
            size_t a = path.find('"'), b = path.find('"', a + 1);
            if (b != std::string_view::npos)
                m.files[n] = path.substr(a + 1, b - a - 1);
        } else if (w == ".section") {
            in.word();
            in.balanced('{', '}');
        } else if (w == ".visible" || w == ".weak" || w == ".common") {
            is_extern = false;
        } else if (w == ".extern") {
            is_extern = true;
            continue;
        } else if (w == ".entry") {
            std::string name(in.word());
            size_t from = in.at;
            line = in.line;
            in.balanced('(', ')');
            while (in.peek() != '{' && in.peek() != ';') {
                in.at++; /* .maxntid 256, 1, 1 */
            }
            if (in.take(';'))
                continue;
            in.balanced('{', '}');
            Kernel &k = m.kernels[name];
            k.name = name;
            k.module = &m;
            k.text = std::string_view(m.text).substr(from, in.at - from);
            k.first_line = line;
        } else if (w == ".func") {
            size_t from = in.at;
            if (in.peek() == '(')
                in.balanced('(', ')');
            std::string name(in.word());
            if (in.peek() == '(')
                in.balanced('(', ')');
            while (in.peek() != '{' && in.peek() != ';')
                in.at++;
            if (in.take(';'))
                continue;
            in.balanced('{', '}');
            m.functions[name] = {std::string_view(m.text).substr(from, in.at - from), line};
        } else if (w == ".global" || w == ".const") {
            Declaration d = declaration(in);
            u64 at = global_variable(d.n_bytes, d.align);
            m.globals[d.name] = at;
            if (in.take('='))
                put_initial(in, (u8 *)at, d.element, d.n_bytes);
            in.need(';');
        } else if (w == ".shared") {
            Declaration d = declaration(in);
            m.shared.push_back({d.name, d.align, d.n_bytes, is_extern});
            in.need(';');
        } else {
            fail("PTX line %d: %.*s is not understood", line, (int)w.size(), w.data());
        }
        is_extern = false;
    }
}

/* Kernels -------------------------------------------------------------------------------------------------------------- */

extern u8 param_buffer[]; /* run.cpp */

struct Symbol {
    enum { REGISTER, MEMORY } kind;
    int at, width;
    Space space;
    u64 value;
};

struct Builder : Decoder {
    Kernel &k;
    Module &m;
    std::vector<std::unordered_map<std::string, Symbol>> scopes;
    std::unordered_map<std::string, int> special;
    std::unordered_map<u64, int> constants[5];
    int loc = -1;

    explicit Builder(Kernel &kernel) : k(kernel), m(*kernel.module)
    {
    }
    int new_row(int width) /* in whole cache lines; predicates are words side by side */
    {
        if (width)
            k.n_bytes = (k.n_bytes + 63) / 64 * 64;
        int at = k.n_bytes;
        k.n_bytes += width == 0 ? 4 : 32 * width;
        return at;
    }
    int constant(u64 value, int width) override
    {
        auto &map = constants[width == 8 ? 4 : width == 4 ? 3 : width];
        auto it = map.find(value);
        if (it != map.end())
            return it->second;
        int at = new_row(width);
        k.constants.push_back({at, width, value});
        return map[value] = at;
    }
    int scratch(int width) override
    {
        return new_row(width);
    }
    int carry() override
    {
        return k.carry < 0 ? k.carry = new_row(0) : k.carry;
    }
    int local_base() override
    {
        return k.local_base < 0 ? k.local_base = new_row(8) : k.local_base;
    }
    const Symbol *find(std::string_view name)
    {
        std::string key(name);
        for (size_t s = scopes.size(); s-- > 0;) {
            auto it = scopes[s].find(key);
            if (it != scopes[s].end())
                return &it->second;
        }
        return nullptr;
    }
    u32 take_local(u32 n_bytes, u32 align)
    {
        u32 at = (k.local_bytes + align - 1) / align * align;
        k.local_bytes = at + n_bytes;
        return at;
    }
    void add_shared(const std::string &name, u32 align, u32 n_bytes)
    {
        u32 at = (k.shared_end + SHARED_GAP + align - 1) / align * align;
        k.shared.push_back({name, at, n_bytes});
        k.static_shared = (k.static_shared + align - 1) / align * align + n_bytes;
        k.shared_end = at + n_bytes;
        scopes.back()[name] = {Symbol::MEMORY, 0, 0, SHARED, at};
    }

    Operand number(std::string_view t)
    {
        Operand o;
        if (t.size() > 2 && t[0] == '0' && (t[1] == 'f' || t[1] == 'F' || t[1] == 'd' || t[1] == 'D')) {
            o.kind = t[1] == 'f' || t[1] == 'F' ? Operand::FLOAT32 : Operand::FLOAT64;
            o.value = strtoull(std::string(t.substr(2)).c_str(), nullptr, 16);
            return o;
        }
        o.kind = Operand::IMM;
        std::string s(t);
        bool minus = s[0] == '-';
        o.value = strtoull(s.c_str() + minus, nullptr, 0);
        if (minus)
            o.value = 0 - o.value;
        return o;
    }
    Operand operand(std::string_view t)
    {
        Operand o;
        t = trim(t);
        if (t.empty())
            fail("an operand is missing");
        if (t[0] == '{') {
            o.kind = Operand::VEC;
            for (std::string_view part : split(t.substr(1, t.size() - 2)))
                o.parts.push_back(operand(part));
            return o;
        }
        if (t[0] == '[') {
            std::string_view inner = trim(t.substr(1, t.size() - 2));
            size_t plus = inner.find('+');
            Operand base = operand(inner.substr(0, plus));
            o.kind = Operand::MEM;
            o.at = -1;
            if (base.kind == Operand::REG) {
                o.at = base.at;
                o.width = base.width;
            } else if (base.kind == Operand::SYM || base.kind == Operand::IMM) {
                o.value = base.value;
                o.space = base.space;
            } else {
                fail("an address of this form");
            }
            if (plus != std::string_view::npos)
                o.value += number(trim(inner.substr(plus + 1))).value;
            return o;
        }
        if (t[0] == '!') {
            o = operand(t.substr(1));
            o.negated = !o.negated;
            return o;
        }
        size_t bar = t.find('|');
        if (bar != std::string_view::npos) {
            o.parts = {operand(t.substr(0, bar)), operand(t.substr(bar + 1))};
            return o;
        }
        if (t == "_") {
            o.kind = Operand::SINK;
            return o;
        }
        if (isdigit((unsigned char)t[0]) || t[0] == '-')
            return number(t);
        if (t == "WARP_SZ")
            return number("32");
        size_t plus = t.find('+');
        std::string name(trim(t.substr(0, plus)));
        u64 more = plus == std::string_view::npos ? 0 : number(trim(t.substr(plus + 1))).value;
        if (const Symbol *s = find(name)) {
            if (s->kind == Symbol::REGISTER) {
                o.at = s->at;
                o.width = s->width;
                return o;
            }
            o.kind = Operand::SYM;
            o.space = s->space;
            o.value = s->value + more;
            return o;
        }
        auto g = m.globals.find(name);
        if (g != m.globals.end()) {
            o.kind = Operand::SYM;
            o.space = GLOBAL;
            o.value = g->second + more;
            return o;
        }
        if (name[0] == '%') {
            auto it = special.find(name);
            if (it == special.end()) {
                int at = new_row(4);
                k.specials.push_back({at, name});
                it = special.emplace(name, at).first;
            }
            o.at = it->second;
            o.width = 4;
            return o;
        }
        fail("%s is not declared", name.c_str());
    }

    void declare_registers(std::string_view text) /* `.b32 %r<12>, %x` */
    {
        Scanner in{text};
        int width = bytes_of(in.word());
        for (std::string_view item : split(text.substr(in.at))) {
            size_t open = item.find('<');
            std::string name(item.substr(0, open));
            if (open == std::string_view::npos) {
                scopes.back()[name] = {Symbol::REGISTER, new_row(width), width, GENERIC, 0};
                continue;
            }
            int n = atoi(item.data() + open + 1);
            for (int r = 0; r < n; r++)
                scopes.back()[name + std::to_string(r)] = {Symbol::REGISTER, new_row(width), width, GENERIC, 0};
        }
    }

    void line_info(std::string_view t) /* 1 23 5, function_name $L, inlined_at 1 301 5 */
    {
        Loc l = {};
        sscanf(std::string(t).c_str(), "%d %d", &l.file, &l.line);
        size_t in = t.rfind("inlined_at");
        if (in != std::string_view::npos)
            sscanf(std::string(t.substr(in + 10)).c_str(), "%d %d", &l.in_file, &l.in_line);
        loc = (int)k.locs.size();
        k.locs.push_back(l);
    }

    /* A body between braces. `inlined`: ret goes behind it. */
    void body(std::string_view text, int first_line, bool inlined)
    {
        Scanner in{text, 0, first_line};
        std::unordered_map<std::string, int> labels;
        std::vector<std::pair<int, std::string>> branches;
        size_t outer = scopes.size();
        scopes.emplace_back();
        std::vector<int> returns;
        while (!in.end()) {
            int line = in.line;
            try {
                if (in.take('{')) {
                    scopes.emplace_back();
                    continue;
                }
                if (in.take('}')) {
                    scopes.pop_back();
                    continue;
                }
                size_t from = in.at;
                std::string_view w = in.word();
                if (in.at < in.s.size() && in.s[in.at] == ':') {
                    in.at++;
                    labels[std::string(w)] = (int)k.code.size();
                    continue;
                }
                if (w == ".loc") {
                    line_info(in.until('\n'));
                    continue;
                }
                if (w == ".reg") {
                    declare_registers(trim(in.until(';')));
                    continue;
                }
                if (w == ".local" || w == ".param") {
                    Declaration d = declaration(in);
                    in.need(';');
                    scopes.back()[d.name] = {Symbol::MEMORY, 0, 0, LOCAL, take_local(d.n_bytes, d.align)};
                    continue;
                }
                if (w == ".shared") {
                    Declaration d = declaration(in);
                    in.need(';');
                    add_shared(d.name, d.align, d.n_bytes);
                    continue;
                }
                if (w == ".pragma") {
                    in.until(';');
                    continue;
                }
                Ins i;
                i.line = line;
                i.loc = loc;
                if (in.s[from] == '@') {
                    in.at = from + 1;
                    i.guard_not = in.take('!');
                    Operand p = operand(in.word());
                    i.guard = p.at;
                    w = in.word();
                }
                std::string_view opcode = w, rest = in.until(';');
                if (opcode == ".branchtargets" || (opcode.size() > 3 && opcode.substr(0, 3) == "brx"))
                    fail("instruction not covered: %.*s", (int)opcode.size(), opcode.data());
                if (opcode == "call" || opcode == "call.uni") {
                    call(rest, line, i.guard >= 0);
                    continue;
                }
                std::vector<Operand> ops;
                if (opcode.substr(0, 3) == "bra")
                    branches.push_back({(int)k.code.size(), std::string(trim(rest))});
                else
                    for (std::string_view o : split(rest))
                        ops.push_back(operand(o));
                decode(i, opcode, ops, *this);
                if (inlined && i.kind == EXIT && opcode.substr(0, 3) == "ret") {
                    i.kind = BRANCH;
                    returns.push_back((int)k.code.size());
                }
                k.code.push_back(i);
            } catch (Error &e) {
                size_t a = text.rfind('\n', in.at ? in.at - 1 : 0), b = text.find('\n', in.at);
                a = a == std::string_view::npos ? 0 : a + 1;
                fail("PTX line %d: %s   (%.*s)", line, e.text.c_str(), (int)(std::min(b, text.size()) - a),
                     text.data() + a);
            }
        }
        scopes.resize(outer);
        for (auto &b : branches) {
            auto it = labels.find(b.second);
            if (it == labels.end())
                fail("no label %s", b.second.c_str());
            k.code[(size_t)b.first].target = it->second;
        }
        for (int r : returns)
            k.code[(size_t)r].target = (int)k.code.size();
    }

    /* Parameters of a function are variables in local memory; the caller's and the function's are the same ones. */
    void call(std::string_view rest, int line, bool guarded)
    {
        std::vector<std::string_view> parts = split(rest), results, arguments;
        if (guarded || parts.empty())
            fail("this call is not handled");
        size_t at = 0;
        if (parts[0][0] == '(')
            results = split(parts[at++].substr(1, parts[0].size() - 2));
        std::string name(parts[at++]);
        if (at < parts.size())
            arguments = split(parts[at].substr(1, parts[at].size() - 2));
        auto f = m.functions.find(name);
        if (f == m.functions.end())
            fail("calls %s, which has no body", name.c_str());
        Scanner in{f->second.text, 0, f->second.line};
        std::unordered_map<std::string, Symbol> names;
        auto bind = [&](std::string_view list, const std::vector<std::string_view> &values) {
            std::vector<std::string_view> declared = split(list);
            if (declared.size() != values.size())
                fail("%s: number of parameters", name.c_str());
            for (size_t p = 0; p < declared.size(); p++) {
                Scanner one{declared[p]};
                one.word(); /* .param */
                Declaration d = declaration(one);
                const Symbol *s = find(values[p]);
                if (!s)
                    fail("%s: an argument that is no variable", name.c_str());
                names[d.name] = *s;
            }
        };
        if (in.peek() == '(')
            bind(in.balanced('(', ')'), results);
        in.word();
        bind(in.balanced('(', ')'), arguments);
        while (in.peek() != '{')
            in.at++;
        int first = in.line;
        std::string_view text = in.balanced('{', '}');
        auto saved = std::move(scopes);
        scopes = {names};
        int saved_loc = loc;
        (void)line;
        body(text, first, true);
        loc = saved_loc;
        scopes = std::move(saved);
    }

    void prepare()
    {
        scopes.emplace_back();
        new_row(8); /* so that no register is at 0 */
        k.shared_end = SHARED_FIRST;
        Scanner in{k.text, 0, k.first_line};
        for (std::string_view p : split(in.balanced('(', ')'))) {
            Scanner one{p};
            one.word();
            Declaration d = declaration(one);
            k.param_bytes = (k.param_bytes + d.align - 1) / d.align * d.align;
            k.params.push_back({d.name, k.param_bytes, d.n_bytes});
            scopes.back()[d.name] = {Symbol::MEMORY, 0, 0, PARAM, (u64)(uintptr_t)(param_buffer + k.param_bytes)};
            k.param_bytes += d.n_bytes;
        }
        std::string_view directives = in.s.substr(in.at, in.s.find('{', in.at) - in.at);
        size_t at = directives.find(".maxntid");
        if (at != std::string_view::npos) {
            int x = 1, y = 1, z = 1;
            sscanf(std::string(directives.substr(at)).c_str(), ".maxntid %d, %d, %d", &x, &y, &z);
            k.max_threads = x * y * z;
        }
        while (in.peek() != '{')
            in.at++;
        int first = in.line;
        std::string_view text = in.balanced('{', '}');
        for (const auto &s : m.shared) {
            size_t found = text.find(s.name);
            while (found != std::string_view::npos && Scanner::in_word(text[found + s.name.size()]))
                found = text.find(s.name, found + 1);
            if (found == std::string_view::npos)
                continue;
            if (s.is_extern) { /* aligned as declared, and not better */
                k.has_dynamic = true;
                scopes.back()[s.name] = {Symbol::MEMORY, 0, 0, SHARED, DYNAMIC_FIRST + s.align};
                k.dynamic_first = DYNAMIC_FIRST + s.align;
            } else {
                add_shared(s.name, s.align, s.n_bytes);
            }
        }
        body(text, first, false);
        if (k.shared_end > DYNAMIC_FIRST)
            fail("%s: too much static shared memory", k.name.c_str());
        k.n_bytes = (k.n_bytes + 63) / 64 * 64;
        k.ready = true;
    }
};

void kernel_prepare(Kernel &k)
{
    Builder(k).prepare();
}
