# Run by the installation before and after it puts files in place: BUILD/installed/ gets a list for
# each destination, of the folders among FOLDERS that were not there before, each with a slash at its
# end, and of the files. For uninstall.cmake.
set(destination "$ENV{DESTDIR}${CMAKE_INSTALL_PREFIX}")
string(MD5 name "${destination}")
set(list "${BUILD}/installed/${name}.txt")

if(WHEN STREQUAL BEFORE)
  # Those that an earlier installation has made are still ours.
  set(unseen_new "")
  if(EXISTS "${list}")
    file(STRINGS "${list}" unseen_new REGEX "/$")
  endif()
  foreach(folder ${FOLDERS})
    set(up "${destination}/${folder}")
    while(NOT EXISTS "${up}")
      list(APPEND unseen_new "${up}/")
      get_filename_component(up "${up}" DIRECTORY)
    endwhile()
  endforeach()
else()
  foreach(file ${CMAKE_INSTALL_MANIFEST_FILES})
    list(APPEND unseen_new "$ENV{DESTDIR}${file}")
  endforeach()
  list(REMOVE_DUPLICATES unseen_new)
  list(JOIN unseen_new "\n" text)
  file(WRITE "${list}" "${text}\n")
endif()
