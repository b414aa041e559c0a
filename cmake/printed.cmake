# What PROGRAM prints about itself, into FOLDER: man/ with a page for each of its commands, and
# completion/ with what bash and zsh read.
function(ask into)
  execute_process(COMMAND ${PROGRAM} ${ARGN} OUTPUT_VARIABLE text RESULT_VARIABLE status)
  if(NOT status EQUAL 0)
    message(FATAL_ERROR "${PROGRAM} ${ARGN} ended with ${status}")
  endif()
  set(${into} "${text}" PARENT_SCOPE)
endfunction()

ask(pages --help=pages)
string(STRIP "${pages}" pages)
string(REPLACE "\n" ";" pages "${pages}")
file(REMOVE_RECURSE ${FOLDER}/man) # pages of commands that are no more
foreach(page ${pages})
  string(REPLACE " " ";" words "${page}")
  string(REPLACE " " "-" name "${page}")
  ask(text ${words} --help=man)
  file(WRITE ${FOLDER}/man/unseen-${name}.1 "${text}")
endforeach()

ask(text completion bash)
file(WRITE ${FOLDER}/completion/unseen "${text}")
ask(text completion zsh)
file(WRITE ${FOLDER}/completion/_unseen "${text}")
