"""sentences.py SOURCE [FILE...]: what the library's sentences call options and commands.

The program's user has flags and commands, a host of the library has fields, keywords and functions
(src/base/status.h). So no string of the library names a flag or a command outside a choice,
"{--flag}" or "{program|library}"; a choice stands where un_sentence or un_worded reads it; and both
sides of it name what there is. Prints what is wrong; status 1 if anything is. With files, those are
looked into in the place of the library's.
"""
import pathlib
import re
import sys

LITERAL = r'"(?:\\.|[^"\\\n])*"'
TOKEN = re.compile(r'/\*.*?\*/|//[^\n]*|\'(?:\\.|[^\'\\\n])+\'|(?P<text>(?:' + LITERAL + r'\s*)+)',
                   re.S)
CHOICE = re.compile(r'\{(?:(?P<flag>--[a-z][a-z-]*)|(?P<program>[^{}|]*)\|(?P<library>[^{}]*))\}')
FLAG = re.compile(r'--([a-z][a-z-]*)')
BARE = re.compile(r'--[a-z]|`unseen|same command|mpirun')
# Which argument is read for choices, and how long it may be (FORMAT_LENGTH, un_phrase).
READERS = {"un_fail": (1, 1024), "un_fail_errno": (1, 1024), "un_fail_prefix": (1, 1024),
           "un_log": (1, 1024), "un_dataset_note": (1, 1024), "un_dataset_note_expected": (1, 1024),
           "un_check_say": (1, 1024),
           "un_worded": (0, 256)}
# The page of a report is for people, whoever had it written: its style, and the program's command.
PAGES = {"src/picture/report_style.c": r"--[a-z]", "src/picture/report_tables.c": r"--p:",
         "src/picture/report_model.c": r"<code>unseen eval --confusion</code>"}
# Called otherwise there, or not there.
PYTHON = {"all": "all_images", "unseen_count": "unseen", "ranks_per_run": None}


def read(folder, pattern):
    return "".join(path.read_text() for path in sorted(folder.glob(pattern)))


def blank(match):
    return re.sub(r"[^\n]", "x", match.group(0))


def reader_of(code, at):
    """The call that a place of the code is an argument of, and which argument; or (name, None) of
    what it is the value of."""
    depth = argument = 0
    for i in range(at - 1, -1, -1):
        if code[i] in ")]}":
            depth += 1
        elif code[i] in "([{" and depth:
            depth -= 1
        elif code[i] == "(":
            name = re.search(r"(\w+)\s*$", code[:i])
            return (name.group(1) if name else "", argument)
        elif code[i] == "," and not depth:
            argument += 1
        elif code[i] in "{;" and not depth:
            value = re.search(r"([\w.>-]+)\s*=(?!=)", code[i:at])
            return (value.group(1) if value else "", None)
    return ("", None)


class Checker:
    def __init__(self, source):
        self.source = source
        self.faults = []
        self.choices = 0
        self.headers = TOKEN.sub("", read(source / "include", "*.h"))
        self.python = read(source / "python/unseen", "*.py")
        self.program = read(source / "src/cli", "*.[ch]")

    def check_field(self, where, field):
        if not re.search(r"\b%s(\[\w+\])?[;,]" % field, self.headers):
            self.faults.append(f"{where}: no public structure has a field {field}")
        keyword = PYTHON.get(field, field)
        if keyword and not re.search(r"\b%s: " % keyword, self.python):
            self.faults.append(f"{where}: nothing in Python has a keyword {keyword}")

    def check_choice(self, where, choice):
        self.choices += 1
        if "%" in choice.group(0):
            self.faults.append(f"{where}: {choice.group(0)} has a %")
        for flag in FLAG.findall(choice.group("flag") or choice.group("program")):
            if f'{{"{flag}", ' not in self.program:
                self.faults.append(f"{where}: the program has no option --{flag}")
        if choice.group("flag"):
            self.check_field(where, choice.group("flag")[2:].replace("-", "_"))
            return
        for field in re.findall(r"\boption (\w+)", choice.group("library")):
            self.check_field(where, field)
        for function in re.findall(r"\bunseen_\w+", choice.group("library")):
            if not re.search(r"\b%s\(" % function, self.headers):
                self.faults.append(f"{where}: there is no function {function}")

    def check_reader(self, where, code, at, length):
        name, argument = reader_of(code, at)
        if name.endswith(".why") and argument is None:
            return  # un_cell, whose readers word it
        which, limit = READERS.get(name, (None, 0))
        if argument is None or argument != which:
            self.faults.append(f"{where}: nothing reads the choice, argument {argument} of {name}")
        elif length >= limit:
            self.faults.append(f"{where}: {length} bytes are more than {name} reads")

    def check_file(self, path):
        place = str(path.relative_to(self.source) if self.source in path.parents else path)
        text = path.read_text()
        code = TOKEN.sub(blank, text)
        for match in TOKEN.finditer(text):
            if not match.group("text"):
                continue
            where = f"{place}:{text.count(chr(10), 0, match.start()) + 1}"
            said = "".join(part[1:-1] for part in re.findall(LITERAL, match.group("text")))
            choices = list(CHOICE.finditer(said))
            for choice in choices:
                self.check_choice(where, choice)
            if choices:
                self.check_reader(where, code, match.start(), len(said.encode()))
            rest = CHOICE.sub("", said)
            if place in PAGES:
                rest = re.sub(PAGES[place], "", rest)
            if BARE.search(rest):
                self.faults.append(f"{where}: \"{said}\" is for the program's user alone")


def main():
    source, given = pathlib.Path(sys.argv[1]), [pathlib.Path(name) for name in sys.argv[2:]]
    checker = Checker(source)
    files = given or [path for path in sorted((source / "src").glob("**/*.[ch]"))
                      if path.relative_to(source).parts[1] not in ("cli", "serve")]
    for path in files:
        checker.check_file(path)
    for fault in checker.faults:
        print(fault)
    if not given and (len(files) < 100 or checker.choices < 40):
        print(f"only {checker.choices} choices in {len(files)} files were found")
        return 1
    return 1 if checker.faults else 0


if __name__ == "__main__":
    sys.exit(main())
