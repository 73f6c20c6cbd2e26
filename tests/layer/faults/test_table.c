// SPDX-License-Identifier: Apache-2.0
//
// The lists of faults and personas, and the parsing of VKZIRCON_EMULATION.
#include "../test.h"
#include "faults.h"

#include <sys/wait.h>
#include <unistd.h>

static bool is_name(const char *name) {
    return name[0] && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == strlen(name);
}

static bool is_sentence(const char *text) {
    const size_t length = strlen(text);
    return length > 10 && length < 120 && text[length - 1] == '.' && !strpbrk(text, "\n\t\"");
}

static size_t find_fault(const char *name, size_t length) {
    for (size_t i = 0; i < vkz_fault_count(); i++) {
        if (strlen(vkz_fault_name(i)) == length && memcmp(vkz_fault_name(i), name, length) == 0)
            return i;
    }
    return SIZE_MAX;
}

static void faults_are_described_in_order(void) {
    CHECK_EQ(vkz_fault_count(), VKZ_FAULT_COUNT + 4 * VKZ_POINT_COUNT);
    for (size_t i = 0; i < vkz_fault_count(); i++) {
        CHECK(is_name(vkz_fault_name(i)));
        CHECK(is_sentence(vkz_fault_description(i)));
        CHECK_EQ(find_fault(vkz_fault_name(i), strlen(vkz_fault_name(i))), i); // names are unique
        if (i > 0 && i != VKZ_FAULT_COUNT)
            CHECK(strcmp(vkz_fault_name(i - 1), vkz_fault_name(i)) < 0);
    }
    CHECK(!vkz_fault_name(vkz_fault_count()));
    CHECK(!vkz_fault_description(SIZE_MAX));
}

static void personas_are_lists_of_faults(void) {
    for (size_t i = 0; i < vkz_persona_count(); i++) {
        CHECK(is_name(vkz_persona_name(i)));
        CHECK(is_sentence(vkz_persona_description(i)));
        if (i > 0)
            CHECK(strcmp(vkz_persona_name(i - 1), vkz_persona_name(i)) < 0);
        for (const char *list = vkz_persona_faults(i); *list; list += *list == ',') {
            const size_t length = strcspn(list, ",");
            CHECK(find_fault(list, length) < VKZ_FAULT_COUNT);
            list += length;
        }
    }
    CHECK(!vkz_persona_name(vkz_persona_count()));
    CHECK(!vkz_persona_description(vkz_persona_count()));
    CHECK(!vkz_persona_faults(vkz_persona_count()));
}

static void is_on_in_a_child(const char *emulation, bool zero, bool event, const char *error) {
    const pid_t pid = fork(); // the child reads its own environment
    if (pid == 0) {
        setenv("VKZIRCON_EMULATION", emulation, 1);
        CHECK_EQ(vkz_fault(VKZ_FAULT_EXPORT_ZERO), zero);
        CHECK_EQ(vkz_fault(VKZ_FAULT_EXPORT_EVENT), event);
        CHECK_EQ(vkz_any_fault(), zero || event);
        const char *told = vkz_emulation_error();
        CHECK(error ? told && strstr(told, error) : !told);
        _exit(test_result());
    }
    int status;
    waitpid(pid, &status, 0);
    CHECK_EQ(status, 0);
}

static void the_environment_is_read(void) {
    is_on_in_a_child("", false, false, NULL);
    is_on_in_a_child("persona=strict", false, false, NULL);
    is_on_in_a_child("fault=export-zero", true, false, NULL);
    is_on_in_a_child("persona=strict,fault=export-event,fault=export-zero", true, true, NULL);
    is_on_in_a_child(",,fault=export-event,", false, true, NULL);
    is_on_in_a_child("fault=random-answers=123456789,fault=export-event", false, true, NULL);
}

static void unknown_settings_are_reported(void) {
    is_on_in_a_child("fault=export-zer", false, false, "there is no fault \"export-zer\"");
    is_on_in_a_child("fault=export-zero2", false, false, "there is no fault \"export-zero2\"");
    is_on_in_a_child("fault=", false, false, "there is no fault \"\"");
    is_on_in_a_child("fault=export-zero=7", false, false, "there is no fault \"export-zero=7\"");
    is_on_in_a_child("fault=random-answers=", false, false, "there is no fault \"random-answers=\"");
    is_on_in_a_child("fault=random-answers=-7", false, false, "there is no fault \"random-answers=-7\"");
    is_on_in_a_child("fault=random-answers=1234567890", false, false, "\"random-answers=1234567890\"");
    is_on_in_a_child("fault=hang-in-nothing", false, false, "\"hang-in-nothing\"");
    is_on_in_a_child("fault=export-zero,persona=goldfisch", false, false, "there is no persona \"goldfisch\"");
    is_on_in_a_child("export-zero", false, false, "not \"export-zero\"");
    is_on_in_a_child("fault=export-zero, fault=export-event", false, false, "not \" fault=export-event\"");
    char long_name[4096];
    memset(long_name, 'x', sizeof long_name);
    long_name[sizeof long_name - 1] = 0;
    is_on_in_a_child(long_name, false, false, "not \"xxxxx");
}

static void points_are_any_fault(void) {
    const pid_t pid = fork();
    if (pid == 0) {
        setenv("VKZIRCON_EMULATION", "fault=exit-in-wait", 1);
        if (!vkz_any_fault())
            _exit(2);
        vkz_point(VKZ_POINT_SUBMIT);
        vkz_point(VKZ_POINT_WAIT);
        _exit(3);
    }
    int status;
    waitpid(pid, &status, 0);
    CHECK_EQ(status, 0);
}

int main(void) {
    RUN(faults_are_described_in_order());
    RUN(personas_are_lists_of_faults());
    CHECK(!vkz_any_fault());
    RUN(the_environment_is_read());
    RUN(unknown_settings_are_reported());
    RUN(points_are_any_fault());
    return test_result();
}
