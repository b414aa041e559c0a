# The Python package: python/unseen, and what the headers declare for cffi, in BUILD/python for the
# tests and PYTHON_INSTALL for an installation. Without an interpreter that has cffi it is left out.
find_program(UNSEEN_PYTHON NAMES python3 PATHS /usr/bin NO_DEFAULT_PATH)
find_program(UNSEEN_PYTHON NAMES python3)
set(PYTHON_THERE 0)
if(UNSEEN_PYTHON AND NOT CMAKE_CROSSCOMPILING AND NOT UNSEEN_FUZZ)
  # Where this Python looks below a prefix: dist-packages where it is Debian's.
  execute_process(COMMAND ${UNSEEN_PYTHON} -c "
import cffi, sys, sysconfig
debian = 'posix_local' in sysconfig.get_scheme_names()
print('lib/python%d.%d/%s-packages' % (*sys.version_info[:2], 'dist' if debian else 'site'))"
    OUTPUT_VARIABLE PYTHON_FOLDER OUTPUT_STRIP_TRAILING_WHITESPACE RESULT_VARIABLE failed ERROR_QUIET)
  if(NOT failed)
    set(PYTHON_THERE 1)
  endif()
endif()
if(NOT PYTHON_THERE)
  message(STATUS "no Python 3 with cffi: the Python package is not built")
  return()
endif()

set(PYTHON_SOURCE ${CMAKE_SOURCE_DIR}/python)
file(GLOB PYTHON_FILES CONFIGURE_DEPENDS ${PYTHON_SOURCE}/unseen/*.py)
list(FILTER PYTHON_FILES EXCLUDE REGEX "/_interface\\.py$")
set(SONAME libunseen.so.${PROJECT_VERSION_MAJOR})
if(UNSEEN_DEBIAN)
  set(PYTHON_FOLDER lib/python3/dist-packages)
  set(INSTALLED_LIBRARY ${SONAME})
elseif(IS_ABSOLUTE "${CMAKE_INSTALL_LIBDIR}")
  set(INSTALLED_LIBRARY ${CMAKE_INSTALL_LIBDIR}/${SONAME})
else()
  file(RELATIVE_PATH INSTALLED_LIBRARY /${PYTHON_FOLDER}/unseen /${CMAKE_INSTALL_LIBDIR}/${SONAME})
endif()

# interface(FOLDER LIBRARY): FOLDER/_interface.py of a package whose library is there.
function(interface folder library)
  add_custom_command(OUTPUT ${folder}/_interface.py VERBATIM
    DEPENDS ${PYTHON_SOURCE}/interface.py include/unseen.h include/unseen_dataset.h
            include/unseen_files.h include/unseen_picture.h
    COMMAND ${UNSEEN_PYTHON} ${PYTHON_SOURCE}/interface.py ${CMAKE_SOURCE_DIR}/include
            ${PROJECT_VERSION} ${library} ${folder}/_interface.py)
endfunction()
set(PYTHON_BUILT ${CMAKE_BINARY_DIR}/python/unseen)
set(PYTHON_INSTALL ${CMAKE_BINARY_DIR}/python-install)
interface(${PYTHON_BUILT} ${CMAKE_BINARY_DIR}/${SONAME})
interface(${PYTHON_INSTALL} ${INSTALLED_LIBRARY})
add_custom_command(OUTPUT ${CMAKE_BINARY_DIR}/python/copied VERBATIM
  DEPENDS ${PYTHON_FILES} ${PYTHON_SOURCE}/unseen/py.typed
  COMMAND ${CMAKE_COMMAND} -E make_directory ${PYTHON_BUILT}
  COMMAND ${CMAKE_COMMAND} -E copy ${PYTHON_FILES} ${PYTHON_SOURCE}/unseen/py.typed ${PYTHON_BUILT}
  COMMAND ${CMAKE_COMMAND} -E touch ${CMAKE_BINARY_DIR}/python/copied)
add_custom_target(python ALL DEPENDS ${PYTHON_BUILT}/_interface.py ${PYTHON_INSTALL}/_interface.py
                  ${CMAKE_BINARY_DIR}/python/copied)
