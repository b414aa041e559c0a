# What is installed, by components, and Debian packages of them (`make deb`).
include(CMakePackageConfigHelpers)
option(UNSEEN_DEBIAN "Install what Debian's packages carry beside the files themselves" OFF)
set(HERE ${CMAKE_SOURCE_DIR}/cmake)

# ---- an installation is remembered, so that `make uninstall` leaves nothing of it ----

set(FOLDERS ${CMAKE_INSTALL_BINDIR} ${CMAKE_INSTALL_LIBDIR}/pkgconfig
    ${CMAKE_INSTALL_LIBDIR}/cmake/unseen ${CMAKE_INSTALL_INCLUDEDIR} ${CMAKE_INSTALL_MANDIR}/man1
    ${CMAKE_INSTALL_DATADIR}/bash-completion/completions
    ${CMAKE_INSTALL_DATADIR}/zsh/site-functions)
if(PYTHON_THERE)
  list(APPEND FOLDERS ${PYTHON_FOLDER}/unseen)
endif()
foreach(when BEFORE AFTER)
  set(REMEMBER_${when} "
    set(BUILD \"${CMAKE_BINARY_DIR}\")
    set(FOLDERS \"${FOLDERS}\")
    set(WHEN ${when})
    include(\"${HERE}/remember.cmake\")")
endforeach()
install(CODE "${REMEMBER_BEFORE}")

# ---- the library ----

install(TARGETS unseen_shared LIBRARY COMPONENT library NAMELINK_COMPONENT development)
install(FILES ${ARCHIVE} DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT development)
install(FILES include/unseen.h include/unseen_dataset.h include/unseen_files.h
        include/unseen_picture.h
        DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT development)

# An installed tree may be moved: both files find it from where they lie.
set(CONFIG_FOLDER ${CMAKE_INSTALL_LIBDIR}/cmake/unseen)
set(STATIC_MODULES jansson)
set(PC_PRIVATE ${JANSSON_LDFLAGS})
foreach(entry ${FOREIGN_MODULES})
  separate_arguments(entry)
  list(POP_FRONT entry prefix)
  list(APPEND STATIC_MODULES ${entry})
  list(APPEND PC_PRIVATE ${${prefix}_LDFLAGS})
endforeach()
list(REMOVE_DUPLICATES PC_PRIVATE)
# These two have no .pc files; where they lie is said if the linker does not look there by itself.
foreach(library ${DNNL_LIBRARY} ${GOMP_LIBRARY})
  get_filename_component(folder ${library} DIRECTORY)
  get_filename_component(real ${folder} REALPATH)
  if(NOT folder IN_LIST CMAKE_C_IMPLICIT_LINK_DIRECTORIES AND
     NOT real IN_LIST CMAKE_C_IMPLICIT_LINK_DIRECTORIES)
    string(REPLACE " " "\\ " folder "${folder}")
    list(APPEND PC_PRIVATE -L${folder})
  endif()
endforeach()
get_filename_component(DNNL_FOLDER ${DNNL_LIBRARY} DIRECTORY)
list(APPEND PC_PRIVATE -ldnnl -lgomp -ldl -lpthread -lm)
list(JOIN PC_PRIVATE " " PC_PRIVATE)
list(JOIN STATIC_MODULES " " STATIC_MODULES)
if(IS_ABSOLUTE "${CMAKE_INSTALL_LIBDIR}" OR IS_ABSOLUTE "${CMAKE_INSTALL_INCLUDEDIR}")
  set(PC_PREFIX ${CMAKE_INSTALL_PREFIX})
  set(PC_INCLUDEDIR ${CMAKE_INSTALL_FULL_INCLUDEDIR})
  set(PC_LIBDIR ${CMAKE_INSTALL_FULL_LIBDIR})
else()
  file(RELATIVE_PATH UP /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
  string(REGEX REPLACE "/$" "" UP ${UP})
  set(PC_PREFIX "\${pcfiledir}/${UP}")
  set(PC_INCLUDEDIR "\${prefix}/${CMAKE_INSTALL_INCLUDEDIR}")
  set(PC_LIBDIR "\${prefix}/${CMAKE_INSTALL_LIBDIR}")
endif()
configure_file(${HERE}/unseen.pc.in unseen.pc @ONLY)
configure_package_config_file(${HERE}/unseen-config.cmake.in unseen-config.cmake
  INSTALL_DESTINATION ${CONFIG_FOLDER} PATH_VARS CMAKE_INSTALL_INCLUDEDIR CMAKE_INSTALL_LIBDIR)
write_basic_package_version_file(unseen-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/unseen.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig
        COMPONENT development)
install(FILES ${CMAKE_BINARY_DIR}/unseen-config.cmake
              ${CMAKE_BINARY_DIR}/unseen-config-version.cmake
        DESTINATION ${CONFIG_FOLDER} COMPONENT development)

# ---- the programs ----

install(TARGETS unseen RUNTIME COMPONENT program)
if(TARGET unseen-mpi)
  install(TARGETS unseen-mpi RUNTIME COMPONENT mpi)
  install(FILES docs/unseen-mpi.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 COMPONENT mpi)
endif()
install(FILES docs/unseen.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 COMPONENT program)
if(TARGET manual)
  install(DIRECTORY ${CMAKE_BINARY_DIR}/man/ DESTINATION ${CMAKE_INSTALL_MANDIR}/man1
          COMPONENT program)
  install(FILES ${CMAKE_BINARY_DIR}/completion/unseen
          DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions COMPONENT program)
  install(FILES ${CMAKE_BINARY_DIR}/completion/_unseen
          DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions COMPONENT program)
endif()

# ---- Python ----

if(PYTHON_THERE)
  install(FILES ${PYTHON_FILES} ${PYTHON_SOURCE}/unseen/py.typed ${PYTHON_INSTALL}/_interface.py
          DESTINATION ${PYTHON_FOLDER}/unseen COMPONENT python)
endif()

# ---- Debian packages: each component is one. The library recommends what it loads when first used,
# the program depends on it. ----

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME unseen)
set(CPACK_PACKAGE_CONTACT "unseen maintainers <maintainers@unseen.invalid>")
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_STRIP_FILES ON)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(VERSION_HERE "${PROJECT_VERSION}-${CPACK_DEBIAN_PACKAGE_RELEASE}")
list(REMOVE_DUPLICATES FOREIGN_PACKAGES)
list(JOIN FOREIGN_PACKAGES ", " LOADED)
set(PROGRAM_PACKAGES ${FOREIGN_PACKAGES} ${SERVE_PACKAGES})
list(JOIN PROGRAM_PACKAGES ", " PROGRAM_LOADED)
set(LIBRARY_PACKAGE libunseen${PROJECT_VERSION_MAJOR})

# debian_package(COMPONENT NAME SECTION SUMMARY TEXT)
macro(debian_package component name section summary text)
  string(TOUPPER ${component} upper)
  list(APPEND CPACK_COMPONENTS_ALL ${component})
  set(CPACK_DEBIAN_${upper}_PACKAGE_NAME ${name})
  set(CPACK_DEBIAN_${upper}_PACKAGE_SECTION ${section})
  set(CPACK_COMPONENT_${upper}_DESCRIPTION "${summary}\n${text}")
  if(UNSEEN_DEBIAN)
    install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/${name} RENAME copyright
            COMPONENT ${component})
  endif()
endmacro()

debian_package(library ${LIBRARY_PACKAGE} libs "zero-shot image classification, library"
  "Recognises classes that no training image ever showed, from a description of their attributes. Pictures, drawings and imports need the recommended packages.")
set(CPACK_DEBIAN_LIBRARY_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_LIBRARY_PACKAGE_GENERATE_SHLIBS ON)
set(CPACK_DEBIAN_LIBRARY_PACKAGE_RECOMMENDS "${LOADED}")

debian_package(development libunseen-dev libdevel
  "zero-shot image classification, development files"
  "Header, static library, files for CMake and pkg-config.")
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_DEPENDS "${LIBRARY_PACKAGE} (= ${VERSION_HERE})")
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SUGGESTS
    "libdnnl-dev, libjansson-dev, libvips-dev, libcairo2-dev, libhdf5-dev, libzip-dev, zlib1g-dev, libutf8proc-dev")

debian_package(program unseen science "zero-shot image classification, program"
  "Goes the whole way from a folder of pictures, or from benchmark files, to features, to a trained model, to honest numbers, to an answer about a photo with the places where each attribute was seen.")
set(CPACK_DEBIAN_PROGRAM_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PROGRAM_PACKAGE_DEPENDS "${PROGRAM_LOADED}")
set(CPACK_DEBIAN_PROGRAM_PACKAGE_RECOMMENDS "fonts-dejavu-core")

if(TARGET unseen-mpi)
  debian_package(mpi unseen-mpi science "zero-shot image classification on several machines"
    "The program unseen for several processes that MPI joins.")
  set(CPACK_DEBIAN_MPI_PACKAGE_SHLIBDEPS ON)
  set(CPACK_DEBIAN_MPI_PACKAGE_DEPENDS "unseen (= ${VERSION_HERE})")
endif()
if(PYTHON_THERE)
  debian_package(python python3-unseen python "zero-shot image classification, Python package"
    "The library ${LIBRARY_PACKAGE} for Python, with NumPy arrays.")
  set(CPACK_DEBIAN_PYTHON_PACKAGE_DEPENDS "${LIBRARY_PACKAGE} (>= ${PROJECT_VERSION}), python3, python3-cffi-backend, python3-numpy (>= 1:1.21)")
  set(CPACK_DEBIAN_PYTHON_PACKAGE_RECOMMENDS "python3-sklearn, python3-tqdm, python3-pandas")
  set(CPACK_DEBIAN_PYTHON_PACKAGE_ARCHITECTURE all)
  set(CPACK_DEBIAN_PYTHON_PACKAGE_CONTROL_EXTRA ${HERE}/python3-unseen/postinst
      ${HERE}/python3-unseen/prerm)
endif()
include(CPack)

install(CODE "${REMEMBER_AFTER}")
