# destination(OUT PREFIX): where an installation into PREFIX lies, under DESTDIR if that is set, spelled
# in one way: from the root, without a slash at its end.
function(destination out prefix)
  get_filename_component(place "$ENV{DESTDIR}${prefix}" ABSOLUTE)
  set(${out} "${place}" PARENT_SCOPE)
endfunction()
