--- How the engine is, as each server last said.
local server = require("undersong.server")

local M = {}

---@class undersong.Status
---@field state "starting"|"loading"|"ready"|"failed"|"lost"
---@field message string
---@field progress number of loading, 0 to 1
---@field model string
---@field device? string
---@field clients? integer
---@field memory_bytes? integer of the process
---@field weights_bytes? integer
---@field caches_bytes? integer
---@field budget_bytes? integer for all of it
---@field warnings string[] what is likely wrong with what was loaded all the same

---@type table<vim.lsp.Client, undersong.Status> gone with its client
local known = setmetatable({}, { __mode = "k" })

--- For |lsp-handler|: `undersong/status`. Tells status lines by the autocommand User UndersongStatus.
---@param status undersong.Status
---@param context lsp.HandlerContext
function M.on_status(_, status, context)
  local client = vim.lsp.get_client_by_id(context.client_id)
  if not client then
    return
  end
  known[client] = status
  vim.api.nvim_exec_autocmds("User", { pattern = "UndersongStatus", modeline = false, data = status })
  vim.cmd.redrawstatus()
end

---@param client vim.lsp.Client
---@return undersong.Status?
function M.of(client)
  return known[client]
end

--- For the writer: a line, and one for each warning.
---@param status undersong.Status
---@return string
function M.summary(status)
  local how = ("%s: %s"):format(status.state, status.message)
  if status.state == "ready" then
    local memory = ("%.0f MB"):format(status.memory_bytes / 1e6)
    if (status.budget_bytes or 0) > 0 then
      local weights, caches, budget = status.weights_bytes / 1e6, status.caches_bytes / 1e6, status.budget_bytes / 1e6
      memory = ("%s of %.0f MB (weights %.0f, caches %.0f)"):format(memory, budget, weights, caches)
    end
    local editors = status.clients == 1 and "1 editor" or ("%d editors"):format(status.clients)
    how = ("ready: %s on %s, %s, %s"):format(status.model, status.device, memory, editors)
  end
  return table.concat({ how, unpack(status.warnings) }, "\n")
end

--- For a status line: "" where no server runs.
---@return string
function M.text()
  local client = server.running()
  if not client then
    return ""
  end
  local status = known[client]
  if not status then
    return "undersong: starting"
  elseif status.state == "loading" then
    return ("undersong: loading %d %%"):format(math.floor(100 * status.progress + 0.5))
  end
  local _, work = next(client.progress.pending)
  return "undersong: " .. (status.state == "ready" and type(work) == "string" and work or status.state)
end

return M
