/*
 * fuzz_config.c - settings of a training. The first line is a method's name; the rest is a
 * --config file if it begins with "{", else lines as of --set. What is taken makes a complete
 * configuration that a manifest can hold.
 */
#include "fuzz.h"

#include "base/json.h"
#include "method/methods.h"

static int set_lines(const un_method_class *class, json_t *config, char *text) {
    int taken = 1;
    for (char *line = strsep(&text, "\n"); line && taken; line = strsep(&text, "\n"))
        taken = fuzz_taken(un_config_set(class, config, line));
    return taken;
}

static int merge(const un_method_class *class, json_t *config, const char *text) {
    json_t *values = NULL;
    if (!fuzz_taken(un_json_parse(text, strlen(text), "input", &values))) return 0;
    int taken = fuzz_taken(un_config_merge(class, config, values, "input"));
    json_decref(values);
    return taken;
}

static void use(const un_method_class *class, const json_t *config) {
    json_t *portable = NULL, *files = NULL;
    const un_option *tables[UN_OPTION_TABLES];
    char *text = NULL;
    un_option_tables(class, tables);
    for (size_t t = 0; tables[t]; t++)
        for (const un_option *o = tables[t]; o->key; o++)
            FUZZ_REQUIRE(json_object_get(config, o->key));
    if (fuzz_taken(un_config_portable(class, config, &portable, &files))) {
        FUZZ_REQUIRE(un_json_text(portable, &text) == UNSEEN_OK);
        free(text);
    }
    json_decref(portable);
    json_decref(files);
}

int fuzz_run_config(const uint8_t *data, size_t size) {
    const un_method_class *class = NULL;
    json_t *config = NULL;
    char *text = fuzz_text(data, size), *rest = text;
    /* Settings name files; none of this machine's is to be read. */
    for (char *at = text; *at; at++)
        if (*at == '/') *at = '_';
    const char *method = strsep(&rest, "\n");
    int taken = fuzz_taken(un_method_find(method, &class)) &&
                fuzz_taken(un_config_create(class, NULL, &config));
    if (taken && rest)
        taken = rest[0] == '{' ? merge(class, config, rest) : set_lines(class, config, rest);
    if (taken) use(class, config);
    json_decref(config);
    free(text);
    return taken;
}

void fuzz_seed_config(void) {
    for (size_t i = 0; un_methods[i]; i++) {
        json_t *config = NULL;
        char *text = NULL, name[64], bytes[8192];
        FUZZ_REQUIRE(un_config_create(un_methods[i], NULL, &config) == UNSEEN_OK);
        FUZZ_REQUIRE(un_json_text(config, &text) == UNSEEN_OK);
        snprintf(bytes, sizeof bytes, "%s\n%s", un_methods[i]->name, text);
        snprintf(name, sizeof name, "%s_all", un_methods[i]->name);
        fuzz_seed_text(name, bytes);
        free(text);
        json_decref(config);
    }
    fuzz_seed_text("dem_set", "dem\nsemantics=att,w2v\nlr=1e-4\nbatch=64");
    fuzz_seed_text("eszsl_set", "eszsl\ngamma=1,10\nlambda=0.1");
    fuzz_seed_text("msdn_config", "msdn\n{\"epochs\": 3, \"semantics\": [\"att\"]}");
    fuzz_seed_text("bad_method", "demm\n{}");
    fuzz_seed_text("bad_key", "dem\nepoch=3");
    fuzz_seed_text("bad_range", "dem\nepochs=-3");
    fuzz_seed_text("bad_json", "dem\n{\"epochs\": }");
}
