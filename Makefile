# The front door. On a Debian or Ubuntu machine it installs missing packages and says which;
# elsewhere CMake names what it does not find.
#
#   make           build the program, build/unseen, and the libraries
#   make demo      build, then the whole way once on built-in data: unseen-demo/report.html
#   make test      build and run all tests;  SANITIZE=1: under AddressSanitizer and UBSan;
#                  SANITIZE=thread: those with threads, under ThreadSanitizer
#   make fuzz      SECONDS=60 over all readers of foreign bytes (clang's libFuzzer, sanitizers)
#   make bench     compare speed with PyTorch (installs python3-torch and OpenBLAS): unseen-bench.json and
#                  .txt; BENCH_ROUNDS=3: rounds of each; BENCH_ONLY="dem msdn": these; BENCH_QUICK=1: a trial
#   make crash      KILLS=100: kill every command that writes at random moments
#   make faults     FAULTS=200: make system calls of every command fail
#   make lint      clang-format, clang-tidy and cppcheck
#   make install   PREFIX=/usr/local by default; DESTDIR=DIR puts the tree below DIR
#   make uninstall  removes what that put there (the same PREFIX and DESTDIR)
#   make deb       Debian packages: build-deb/packages/*.deb
#   make abi       keep the list of exported functions, after it has changed on purpose
#   make clean
#
# make PACKAGES= asks for no package and installs none; README.md says what is needed by name.
# CC=clang builds with clang; SHARED=DIR names the folder with real data for the tests. Warnings are
# errors where the tests are built; WERROR=0 or 1 says otherwise.

CC ?= gcc
ifeq ($(origin CC),default)
CC := gcc
endif
PREFIX ?= /usr/local
SANITIZE ?= 0
JOBS ?= $(shell nproc)
SHARED ?= $(CURDIR)/../shared
BUILD ?= build$(if $(filter clang%,$(notdir $(CC))),-clang)$(if \
	$(filter 1,$(SANITIZE)),-sanitize)$(if $(filter thread,$(SANITIZE)),-thread)
# A user's newer compiler may warn of what ours does not know. Once asked for, it stays in a build.
WERROR ?= $(if $(filter build-all test lint,$(MAKECMDGOALS)),1,$(if $(findstring \
	WERROR=1,$(shell cat $(BUILD)/settings 2>/dev/null)),1,0))

PACKAGES := gcc cmake ninja-build pkg-config libdnnl-dev libhdf5-dev libjansson-dev \
            zlib1g-dev libzip-dev libvips-dev libcairo2-dev libutf8proc-dev \
            libmicrohttpd-dev libcmocka-dev
ifneq ($(filter clang%,$(notdir $(CC))),)
PACKAGES += clang
ifneq ($(filter 1 thread,$(SANITIZE)),)
PACKAGES += libclang-rt-dev
endif
endif

# For tests of several ranks; `unseen` needs none of it.
MPI_PACKAGES := openmpi-bin libopenmpi-dev
# For the Python package and its tests; python3-cffi is what builds it.
PYTHON_PACKAGES := python3 python3-cffi python3-numpy python3-pytest python3-sklearn python3-pandas \
                   python3-venv python3-pip python3-setuptools python3-wheel

.PHONY: all configure build build-all demo test fuzz fuzz-corpus bench lint install uninstall deb abi clean packages mpi-packages python-packages web-packages bench-packages lint-packages crash faults mpi-kills

all: build

# $(call need,PACKAGES): installs what is missing of them, or nothing with `make PACKAGES=`. Without apt
# the libraries may be there all the same, under other names.
define need
@[ -n "$(strip $(1))" ] && [ -n "$(strip $(PACKAGES))" ] || exit 0; \
command -v apt-get >/dev/null && command -v dpkg-query >/dev/null || { \
	echo "This is no Debian system; needed are (by Debian's names): $(1)"; exit 0; }; \
missing=""; for p in $(1); do \
	dpkg-query -W -f='$${Status}' $$p 2>/dev/null | grep -q '^install ok installed' || missing="$$missing $$p"; \
done; \
if [ -n "$$missing" ]; then \
	echo "Installing Debian packages:$$missing"; \
	sudo=""; if [ "$$(id -u)" != 0 ]; then \
		command -v sudo >/dev/null || { \
			echo "Not root, and there is no sudo; as root run: apt-get install$$missing" >&2; exit 1; }; \
		sudo=sudo; \
	fi; \
	$$sudo apt-get update -qq && \
	DEBIAN_FRONTEND=noninteractive $$sudo apt-get install -y -qq --no-install-recommends $$missing >/dev/null \
	|| { echo "Could not install:$$missing" >&2; exit 1; }; \
fi
endef

packages:
	$(call need,$(PACKAGES))

# What tests can do without, saying that they left something out.
mpi-packages: packages
	@if command -v mpicc >/dev/null; then exit 0; fi; \
	if [ -n "$(strip $(PACKAGES))" ] && command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then \
		echo "Installing Debian packages: $(MPI_PACKAGES)"; \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
			--no-install-recommends $(MPI_PACKAGES) >/dev/null && exit 0; \
	fi; \
	echo "No MPI ($(MPI_PACKAGES)): unseen-mpi is not built, and its tests are skipped"

python-packages: packages
	@if [ -z "$(strip $(PACKAGES))" ] || [ "$$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then exit 0; fi; \
	missing=$$(dpkg-query -W -f='$${Package} $${db:Status-Abbrev}\n' $(PYTHON_PACKAGES) 2>/dev/null | \
		awk '$$2 == "ii" {print $$1}' | sort >/tmp/unseen-have.$$$$; \
		printf '%s\n' $(PYTHON_PACKAGES) | sort | comm -23 - /tmp/unseen-have.$$$$; \
		rm -f /tmp/unseen-have.$$$$); \
	[ -n "$$missing" ] || exit 0; \
	echo "Installing Debian packages:" $$missing; \
	apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
		--no-install-recommends $$missing >/dev/null || \
	echo "Without them tests of the Python package are skipped"

# A browser for the tests of the page.
web-packages: packages
	@[ -z "$(strip $(PACKAGES))" ] || [ ! -f tests/web/install.sh ] || sh tests/web/install.sh

# The settings are CMake's from the next run on: it is asked again whenever one has changed, and
# begins anew with another compiler, which it does not exchange in a folder.
SETTINGS = CC=$(CC) PREFIX=$(PREFIX) SANITIZE=$(SANITIZE) SHARED=$(SHARED) WERROR=$(WERROR) \
	MPI=$(shell command -v mpicc) PYTHON=$(shell /usr/bin/python3 -c 'import cffi' 2>/dev/null && echo cffi)
configure: packages $(if $(filter build-all test crash faults mpi-kills lint,$(MAKECMDGOALS)),mpi-packages python-packages) $(if $(filter test,$(MAKECMDGOALS)),web-packages)
	@if [ "$$(cat "$(BUILD)/settings" 2>/dev/null)" != '$(SETTINGS)' ] || \
		[ ! -f "$(BUILD)/build.ninja" ]; then \
		case "$$(cat "$(BUILD)/settings" 2>/dev/null)" in \
		"CC=$(CC) "*|"") ;; \
		*) rm -rf "$(BUILD)/CMakeCache.txt" "$(BUILD)/CMakeFiles" ;; \
		esac; \
		cmake -S . -B "$(BUILD)" -G Ninja -DCMAKE_C_COMPILER="$(CC)" \
			-DCMAKE_INSTALL_PREFIX="$(PREFIX)" \
			-DUNSEEN_SANITIZE=$(if $(filter thread,$(SANITIZE)),thread,$(if $(filter 1,$(SANITIZE)),ON,OFF)) \
			-DUNSEEN_SHARED_DATA="$(SHARED)" \
			-DUNSEEN_WERROR=$(if $(filter 1,$(WERROR)),ON,OFF) > /dev/null || exit 1; \
		echo '$(SETTINGS)' > "$(BUILD)/settings"; \
	fi

# The program and the libraries; a newcomer does not wait for the tests to be built.
build: configure
	cmake --build "$(BUILD)" --parallel $(JOBS) --target unseen unseen_archive unseen_shared manual $$(grep -qs '^build unseen-mpi:' $(BUILD)/build.ninja && echo unseen-mpi) $$(grep -qs '^build python:' $(BUILD)/build.ninja && echo python)

build-all: configure
	cmake --build "$(BUILD)" --parallel $(JOBS)

demo: build
	$(BUILD)/unseen demo -o unseen-demo

ifeq ($(SANITIZE),thread)
# Libraries that are not built for it lock as it cannot see; what they do is not looked at, and oneDNN
# has one thread, but where a test sets more.
TEST_WORDS := -R 'test_(api|base|conv|gemm|image|image_budget|pictures_api|threads|decode|serve.*)$$'
TEST_VARIABLES := OMP_NUM_THREADS=1 TSAN_OPTIONS="suppressions=$(CURDIR)/tests/thread.supp ignore_noninstrumented_modules=1 $(TSAN_OPTIONS)"
endif
test: build-all
	$(TEST_VARIABLES) UNSEEN_SHARED="$(SHARED)" ctest --test-dir $(BUILD) $(TEST_WORDS) --output-on-failure --timeout 1200 --parallel $(JOBS)
	@speed=$(BUILD)/tests/relative_speed; [ ! -x $$speed ] || OMP_WAIT_POLICY=passive $$speed

# What was found stays in build-fuzz: inputs that crash, and those that reach new places.
SECONDS ?= 60
fuzz: packages
	$(call need,clang libclang-rt-dev)
	cmake -S . -B build-fuzz -G Ninja -DCMAKE_C_COMPILER=clang -DCMAKE_BUILD_TYPE=RelWithDebInfo \
		-DUNSEEN_SANITIZE=ON -DUNSEEN_FUZZ=ON -DUNSEEN_TESTS=OFF -DUNSEEN_WERROR=ON > /dev/null
	cmake --build build-fuzz --parallel $(JOBS) --target unseen-fuzz
	tests/fuzz/fuzz.sh build-fuzz/unseen-fuzz build-fuzz/found $(SECONDS)

# Makes the seeds in tests/fuzz/corpus anew, after a format has changed; what was found stays.
fuzz-corpus: build-all
	$(BUILD)/tests/fuzz_replay --make tests/fuzz/corpus

bench: build bench-packages
	/usr/bin/python3 bench/run.py $(BUILD)/unseen $(if $(BENCH_ROUNDS),--rounds $(BENCH_ROUNDS)) \
		$(if $(BENCH_ONLY),--only $(BENCH_ONLY)) $(if $(filter 1,$(BENCH_QUICK)),--quick)

bench-packages:
	$(call need,python3-torch python3-numpy python3-scipy python3-h5py libopenblas0-pthread)

lint-packages:
	$(call need,clang-format clang-tidy cppcheck)

# Kills every command that writes at random moments, or makes its system calls fail one by one.
crash: build-all
	UNSEEN="$(abspath $(BUILD))/unseen" KILLS=$(or $(KILLS),100) tests/cli/test_crash.sh

faults: build-all
	UNSEEN="$(abspath $(BUILD))/unseen" FAULTS=$(or $(FAULTS),200) tests/cli/test_faults.sh

mpi-kills: build-all
	UNSEEN="$(abspath $(BUILD))/unseen" UNSEEN_MPI="$(abspath $(BUILD))/unseen-mpi" MPIEXEC=mpiexec \
		KILLS=$(or $(KILLS),20) tests/cli/test_mpi_kills.sh

lint: build-all lint-packages
	clang-format --dry-run --Werror $$(git ls-files '*.c' '*.h')
	git ls-files 'src/*.c' | while read -r f; do \
		if grep -q "$$f\"" $(BUILD)/compile_commands.json; then echo "$$f"; fi; done | \
		xargs -P $(JOBS) -n 4 clang-tidy -p $(BUILD) --quiet
	cppcheck --quiet --std=c11 --error-exitcode=1 --inline-suppr -Iinclude -Isrc \
		--enable=warning,portability --suppress=missingIncludeSystem \
		--suppress=unknownMacro src

install: build
	cmake --install "$(BUILD)"

# As root, perhaps: nothing is built or configured.
uninstall:
	cmake -DBUILD="$(abspath $(BUILD))" -DPREFIX="$(PREFIX)" -P cmake/uninstall.cmake

# Where Debian has its files; unseen-mpi, where there is an MPI, is a package of its own.
deb: packages
	$(call need,dpkg-dev file python3 python3-cffi)
	cmake -S . -B build-deb -G Ninja -DCMAKE_C_COMPILER="$(CC)" -DCMAKE_INSTALL_PREFIX=/usr \
		-DUNSEEN_DEBIAN=ON -DUNSEEN_TESTS=OFF -DUNSEEN_WERROR=OFF > /dev/null
	cmake --build build-deb --parallel $(JOBS)
	cd build-deb && cpack -G DEB -B packages > cpack.log 2>&1 || { cat cpack.log; exit 1; }
	@rm -rf build-deb/packages/_CPack_Packages; ls build-deb/packages/*.deb

# tests/cli/test_abi.sh compares with it.
ABI_LIST := tests/data/abi/libunseen.txt
abi: build
	nm -D --defined-only "$(BUILD)/libunseen.so" | awk '{print $$3}' | LC_ALL=C sort > $(ABI_LIST)

clean:
	rm -rf build build-clang build-sanitize build-clang-sanitize build-thread build-clang-thread \
		build-fuzz build-deb
